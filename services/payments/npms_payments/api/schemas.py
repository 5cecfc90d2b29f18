"""Requests and answers of the REST interface."""

from dataclasses import asdict
from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, Field, SecretStr, field_validator

from npms_payments.domain.partner_limits import PartnerDay
from npms_payments.domain.records import Batch, Payment, Review, Suspended
from npms_payments.handlers.make_vouchers import Printed
from npms_shared.web.schemas import MAX_ID, CodedError, Instant, Line, Money, Schema


class TopUpRequest(Schema):
    amount: Money
    provider: Line = Field(examples=["paysim"])


class VoucherRequest(Schema):
    pin: SecretStr = Field(
        description="18 digits; spaces and hyphens do not matter",
        examples=["1234 5678 9012 3456 78"],
    )


class PaymentRequest(Schema):
    """Money that came by another way than a top-up order."""

    account_number: Line = Field(description="as the payer wrote it", examples=["1"])
    amount: Money
    source: Literal["bank", "partner"] = Field(examples=["bank"])
    reference: Line = Field(
        description="the sender's own number of this payment; counts once", examples=["FT26327-88"]
    )


class VoucherBatchRequest(Schema):
    value: Money
    count: int = Field(ge=1, le=10_000, examples=[3])
    expires_at: Instant | None = Field(
        default=None, description="a year from now if left out", examples=["2027-11-23T00:00:00Z"]
    )


class AllocationRequest(Schema):
    account_id: int = Field(ge=1, le=MAX_ID, examples=[1])
    reason: Line = Field(examples=["The payer wrote 11 for 1."])


class ReturnRequest(Schema):
    reference: Line = Field(description="the number of the way back", examples=["FT26340-12"])
    reason: Line = Field(examples=["The account is closed; the payer asked for it."])


class PartnerLimitRequest(Schema):
    day_limit: Money = Field(description="most that the partner may sell in a day; not negative")
    reason: Line = Field(examples=["Ten tills since December."])

    @field_validator("day_limit")
    @classmethod
    def _not_negative(cls, limit: Money) -> Money:
        if limit.micro < 0:
            raise CodedError("negative_amount", "a limit is not negative")
        return limit


class CheckoutResponse(BaseModel):
    provider: str = Field(examples=["paysim"])
    reference: str | None = Field(description="the provider's own name for it")
    url: str | None = Field(description="where the payer pays")


class CreditResponse(BaseModel):
    """What the ledger did with the money: the three parts sum to the amount."""

    posted_at: datetime
    to_debt: Money
    to_emergency: Money
    to_balance: Money
    balance_after: Money


class PaymentResponse(BaseModel):
    """A payment. `state` is the payment's, `credit` the ledger's word: two separate facts."""

    payment_id: UUID
    account_id: int
    amount: Money
    source: str = Field(examples=["voucher", "online:paysim", "bank", "partner"])
    reference: str | None = Field(description="voucher serial, provider's or sender's number")
    state: Literal[
        "created", "pending", "outcome_unknown", "settled", "failed", "expired", "reversed"
    ]
    failure_code: str | None
    created_at: datetime
    settled_at: datetime | None
    reversed_at: datetime | None
    reversal_reason: str | None
    checkout: CheckoutResponse | None
    credit: CreditResponse | None

    @classmethod
    def of(cls, payment: Payment) -> "PaymentResponse":
        return cls(
            payment_id=payment.payment_id,
            account_id=payment.account_id,
            amount=Money.of(payment.amount_micro, payment.currency),
            source=payment.source,
            reference=payment.reference,
            state=payment.state.value,
            failure_code=payment.failure_code,
            created_at=payment.created_at,
            settled_at=payment.settled_at,
            reversed_at=payment.reversed_at,
            reversal_reason=payment.reversal_reason,
            checkout=_to_checkout_view(payment),
            credit=_to_credit_view(payment),
        )


class PartnerDayResponse(BaseModel):
    """A partner's day, from midnight UTC, in one currency."""

    partner_id: str = Field(examples=["corner-shop"])
    day_limit: Money
    sold: Money
    left: Money

    @classmethod
    def of(cls, partner_id: str, currency: str, day: PartnerDay) -> "PartnerDayResponse":
        return cls(
            partner_id=partner_id,
            day_limit=Money.of(day.limit_micro, currency),
            sold=Money.of(day.sold_micro, currency),
            left=Money.of(day.left_micro, currency),
        )


class SuspenseResponse(BaseModel):
    """Money that fits no account yet, and why."""

    suspense_id: UUID
    amount: Money
    source: str
    reference: str
    account_given: str
    order_id: UUID | None
    reason: str = Field(examples=["account_unknown", "amount_mismatch", "unknown_order"])
    state: Literal["open", "allocated", "returned"]
    received_at: datetime
    payment_id: UUID | None
    allocated_at: datetime | None
    allocated_by: str | None
    allocated_reason: str | None
    returned_at: datetime | None
    returned_by: str | None = Field(description="the provider, or the person who sent it back")
    returned_reason: str | None
    returned_reference: str | None = Field(description="the number of the money's way back")

    @classmethod
    def of(cls, item: Suspended) -> "SuspenseResponse":
        return cls.model_validate(
            {
                **{
                    name: getattr(item, name)
                    for name in SuspenseResponse.model_fields
                    if name != "amount"
                },
                "amount": Money.of(item.amount_micro, item.currency),
            }
        )


class PaymentReviewResponse(BaseModel):
    """Something a provider said that contradicts what is known, or could not be read."""

    review_id: UUID
    provider: str
    event_id: str
    order_id: UUID | None
    reason: str = Field(examples=["failed_after_settled", "repeated_differently", "unreadable"])
    detail: str
    raised_at: datetime

    @classmethod
    def of(cls, found: Review) -> "PaymentReviewResponse":
        return cls.model_validate(found, from_attributes=True)


class PrintedVoucherResponse(BaseModel):
    serial: str = Field(examples=["7-000001"])
    pin: str = Field(examples=["123456789012345678"])


class VoucherBatchResponse(BaseModel):
    batch_id: UUID
    batch_number: int
    value: Money
    count: int
    expires_at: datetime
    state: Literal["inactive", "printed", "active", "rejected"]
    created_at: datetime
    created_by: str
    printed_at: datetime | None
    printed_by: str | None
    activated_at: datetime | None
    activated_by: str | None
    rejected_at: datetime | None
    rejected_by: str | None
    rejected_reason: str | None
    vouchers: list[PrintedVoucherResponse] | None = Field(
        default=None, description="with their PINs, in the answer to the printing only"
    )

    @classmethod
    def of(cls, batch: Batch, printed: list[Printed] | None = None) -> "VoucherBatchResponse":
        return cls.model_validate(
            {
                **asdict(batch),
                "value": Money.of(batch.value_micro, batch.currency),
                "count": batch.voucher_count,
                "vouchers": _to_printed(printed),
            }
        )


class WebhookResponse(BaseModel):
    outcome: Literal[
        "settled",
        "reversed",
        "returned",
        "closed",
        "suspense",
        "review",
        "ignored",
        "duplicate",
    ]


def _to_checkout_view(payment: Payment) -> CheckoutResponse | None:
    if payment.provider is None:
        return None
    return CheckoutResponse(
        provider=payment.provider, reference=payment.provider_ref, url=payment.checkout_url
    )


def _to_credit_view(payment: Payment) -> CreditResponse | None:
    if payment.credited_at is None:
        return None

    def money(amount_micro: int | None) -> Money:
        return Money.of(amount_micro or 0, payment.currency)

    return CreditResponse(
        posted_at=payment.credited_at,
        to_debt=money(payment.to_debt_micro),
        to_emergency=money(payment.to_emergency_micro),
        to_balance=money(payment.to_balance_micro),
        balance_after=money(payment.balance_after_micro),
    )


def _to_printed(printed: list[Printed] | None) -> list[PrintedVoucherResponse] | None:
    if printed is None:
        return None
    return [PrintedVoucherResponse(serial=one.serial, pin=one.pin) for one in printed]
