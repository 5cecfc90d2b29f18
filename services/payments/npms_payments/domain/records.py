"""What payments keeps, as the rest of the service sees it. Amounts in micro-units."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from npms_payments.domain.attempts import Limit
from npms_payments.domain.lifecycle import State
from npms_payments.domain.vend_limits import VendLimits
from npms_shared.money import AmountsByCurrency


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the ledger told of it; the first three are None until its opening is heard."""

    account_id: int
    customer_id: int | None
    currency: str | None
    opened_at: datetime | None
    closed_at: datetime | None
    vend_min_micro: int | None = None
    vend_max_micro: int | None = None
    max_balance_micro: int | None = None
    limits_at: datetime | None = None
    balance_micro: int | None = None
    balance_at: datetime | None = None

    @property
    def limits(self) -> VendLimits:
        return VendLimits(self.vend_min_micro, self.vend_max_micro, self.max_balance_micro)

    @property
    def open(self) -> bool:
        return self.opened_at is not None and self.closed_at is None


@dataclass(frozen=True, slots=True)
class Payment:
    """A payment and, apart from it, what the ledger confirmed of its credit."""

    payment_id: UUID
    account_id: int
    amount_micro: int
    currency: str
    source: str
    issuer: str
    reference: str | None
    state: State
    failure_code: str | None
    created_at: datetime
    created_by: str
    settled_at: datetime | None
    reversed_at: datetime | None
    reversal_id: UUID | None
    reversal_reason: str | None
    credited_at: datetime | None
    to_debt_micro: int | None
    to_emergency_micro: int | None
    to_balance_micro: int | None
    balance_after_micro: int | None
    provider: str | None
    provider_ref: str | None
    checkout_url: str | None


@dataclass(frozen=True, slots=True)
class Money:
    """A movement of money as its sender names it; (source, issuer, reference) occurs once.

    `issuer` sets apart the numbering of one partner from another's.
    """

    amount_micro: int
    currency: str
    source: str
    reference: str
    issuer: str = ""


@dataclass(frozen=True, slots=True)
class MoneyRequest:
    """What somebody asked for, and what came of it: `kind` is payment, allocation or return, whose
    money goes back from suspense under `returned_reference`.

    Posted, a payment has a `payment_id`, or the `suspense_id` where its account did not fit.
    """

    request_id: UUID
    kind: str
    amount_micro: int
    currency: str
    source: str
    issuer: str
    reference: str
    account_number: str
    requested_by: str
    requested_at: datetime
    suspense_id: UUID | None = None
    reason: str | None = None
    returned_reference: str | None = None
    state: str = "requested"
    decided_by: str | None = None
    decided_at: datetime | None = None
    decided_reason: str | None = None
    payment_id: UUID | None = None

    @property
    def money(self) -> Money:
        return Money(self.amount_micro, self.currency, self.source, self.reference, self.issuer)


@dataclass(frozen=True, slots=True)
class Batch:
    batch_id: UUID
    batch_number: int
    value_micro: int
    currency: str
    voucher_count: int
    expires_at: datetime
    state: str
    created_at: datetime
    created_by: str
    activated_at: datetime | None
    activated_by: str | None
    printed_at: datetime | None
    printed_by: str | None
    rejected_at: datetime | None
    rejected_by: str | None
    rejected_reason: str | None


@dataclass(frozen=True, slots=True)
class Suspended:
    """Money that fits no account yet; `returned_reference` numbers its way back."""

    suspense_id: UUID
    amount_micro: int
    currency: str
    source: str
    issuer: str
    reference: str
    account_given: str
    order_id: UUID | None
    reason: str
    state: str
    received_at: datetime
    received_by: str
    payment_id: UUID | None
    allocated_at: datetime | None
    allocated_by: str | None
    allocated_reason: str | None
    returned_at: datetime | None
    returned_by: str | None
    returned_reason: str | None
    returned_reference: str | None


@dataclass(frozen=True, slots=True)
class Review:
    """Something a provider said that a person should look at."""

    review_id: UUID
    provider: str
    event_id: str
    order_id: UUID | None
    reason: str
    detail: str
    raised_at: datetime


@dataclass(frozen=True, slots=True)
class Policy:
    """The limits of this installation. Times are wall time."""

    max_payment_micro: int
    partner_day_limits: AmountsByCurrency
    """Of partners who were given no limit of their own."""
    alone_limits: AmountsByCurrency
    """What one person may type in or allocate within a day without a second."""
    failures_per_account: Limit
    failures_per_caller: Limit
    order_lifetime: timedelta
    """An unpaid order is closed after so long."""
    first_query: timedelta
    """How long a provider may be silent before it is asked."""
