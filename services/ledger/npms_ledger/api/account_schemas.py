"""Accounts on REST."""

from datetime import datetime
from typing import Any, Literal, Self
from uuid import UUID

from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Row

from npms_ledger.api.debt_schemas import DebtRequest
from npms_ledger.api.policy_schemas import PolicyDocument
from npms_ledger.domain.position import Position
from npms_ledger.handlers.look import AccountDetail, AccountView
from npms_ledger.handlers.open_account import NewCustomer, OpenAccount, Opened
from npms_ledger.handlers.open_by_hand import OpenedByHand
from npms_shared.contracts.ledger import Contact, MeterConnection
from npms_shared.web.schemas import (
    MAX_ID,
    CodedError,
    Currency,
    Energy,
    Instant,
    Line,
    Money,
    Schema,
    Zone,
)


class ContactDocument(Schema):
    channel: Literal["email", "sms"]
    address: str = Field(min_length=3, max_length=200, examples=["+254700000001"])


class CustomerRequest(Schema):
    name: Line = Field(examples=["Amina Otieno"])
    language: str = Field(pattern="^[a-z]{2}$", examples=["en"])
    contacts: list[ContactDocument] = Field(default=[], max_length=10)


class UsagePointRequest(Schema):
    label: Line = Field(examples=["Plot 12, door 3"])
    commodity: Literal["electricity", "water", "gas"] = "electricity"
    max_power_w: int = Field(gt=0, le=10_000_000, examples=[10_000])


class MeterDocument(Schema):
    serial: Line = Field(examples=["SIM-0001"])
    profile: Line = Field(examples=["generic-1"])
    host: Line = Field(examples=["127.0.0.1"])
    port: int = Field(ge=0, le=65535, description="0: its readings are sent to us", examples=[5020])
    unit_id: int = Field(ge=0, le=255, examples=[1])


class OpenAccountRequest(Schema):
    """Everything for a household to begin: who, where, which meter, which plan, which policy."""

    customer: CustomerRequest | None = None
    customer_id: int | None = Field(default=None, description="instead of `customer`: one we know")
    time_zone: Zone = Field(examples=["Africa/Nairobi"])
    currency: Currency = Field(examples=["KES"])
    usage_point: UsagePointRequest | None = None
    usage_point_id: int | None = Field(
        default=None,
        ge=1,
        le=MAX_ID,
        description="instead of `usage_point`: one that somebody moved out of",
    )
    meter: MeterDocument
    opening_register: Energy
    plan_code: Line = Field(examples=["household"])
    credit_policy: Line | PolicyDocument = Field(
        description="a policy's code, or a policy of the account's own", examples=["standard"]
    )
    opening_debt: Money | None = Field(
        default=None, description="owed from before, recovered by the policy's share"
    )
    opening_credit: Money | None = Field(default=None, description="paid before, and not yet used")
    debts: list[DebtRequest] = Field(
        default=[], max_length=20, description="debts with terms of their own"
    )
    protected: bool = Field(default=False, description="never cut")
    customer_class: str = Field(
        default="",
        pattern="^([a-z0-9][a-z0-9_-]{0,59})?$",
        description="what a plan's discounts and free units go by",
        examples=["indigent"],
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.customer is None) == (self.customer_id is None):
            raise CodedError("customer_or_customer_id", "send either customer or customer_id")
        if (self.usage_point is None) == (self.usage_point_id is None):
            raise CodedError(
                "usage_point_or_usage_point_id", "send either usage_point or usage_point_id"
            )
        if self.opening_register.wh < 0:
            raise CodedError("negative_register", "a register is not negative")
        _check_opening(self.opening_debt, self.currency, "debt")
        _check_opening(self.opening_credit, self.currency, "credit")
        if any(debt.amount.currency != self.currency for debt in self.debts):
            raise CodedError("currency_mismatch", "one of debts is in another currency")
        policy = self.credit_policy
        if isinstance(policy, PolicyDocument) and policy.currency != self.currency:
            raise CodedError("currency_mismatch", "credit_policy is in another currency")
        return self

    def to_command(self) -> OpenAccount:
        """Raises PolicyError, TermsError."""
        policy, point = self.credit_policy, self.usage_point
        return OpenAccount(
            customer=self._customer(),
            time_zone=self.time_zone,
            currency=self.currency,
            label=point.label if point else "",
            commodity=point.commodity if point else "",
            max_power_w=point.max_power_w if point else 0,
            usage_point_id=self.usage_point_id,
            meter=MeterConnection(**self.meter.model_dump()),
            opening_register_wh=self.opening_register.wh,
            plan_code=self.plan_code,
            policy=policy if isinstance(policy, str) else policy.to_policy(),
            opening_debt_micro=self.opening_debt.micro if self.opening_debt else 0,
            opening_credit_micro=self.opening_credit.micro if self.opening_credit else 0,
            debts=tuple(debt.to_new() for debt in self.debts),
            protected=self.protected,
            customer_class=self.customer_class,
        )

    def _customer(self) -> NewCustomer | int:
        if self.customer is None:
            assert self.customer_id is not None
            return self.customer_id
        contacts = tuple(Contact(**contact.model_dump()) for contact in self.customer.contacts)
        return NewCustomer(self.customer.name, self.customer.language, contacts)


def _check_opening(money: Money | None, currency: str, what: str) -> None:
    if money is not None and money.micro < 0:
        raise CodedError(f"negative_{what}", f"opening_{what} is not negative")
    if money is not None and money.currency != currency:
        raise CodedError("currency_mismatch", f"opening_{what} is in another currency")


class OpenedResponse(BaseModel):
    account_id: int
    customer_id: int
    usage_point_id: int
    installation_id: int
    credit_policy: str
    supply: Literal["on", "off"]
    reason: str = Field(examples=["no_credit"])
    credit_request_id: UUID | None = Field(
        description="the money request by which the opening credit waits for a second person"
    )

    @classmethod
    def of(cls, done: OpenedByHand) -> "OpenedResponse":
        opened, account = done.opened, done.opened.account
        return cls(
            account_id=account.account_id,
            customer_id=opened.customer_id,
            usage_point_id=opened.usage_point_id,
            installation_id=opened.installation_id,
            credit_policy=opened.policy_code,
            supply="on" if account.position.supply_on else "off",
            reason=account.reason,
            credit_request_id=done.credit_request_id,
        )


class EmergencyResponse(BaseModel):
    state: str = Field(
        description="enabled, selectable (offered), invoked (accepted), in_use, exhausted"
    )
    limit: Money | None
    used: Money
    available: Money

    @classmethod
    def of(cls, view: AccountView) -> "EmergencyResponse":
        position, currency = view.account.position, view.account.currency
        terms = view.account.policy.emergency
        return cls(
            state=position.emergency.value,
            limit=Money.of(terms.limit_micro, currency) if terms else None,
            used=Money.of(position.emergency_used_micro, currency),
            available=Money.of(view.emergency_available_micro, currency),
        )


class KeepOnResponse(BaseModel):
    """A person keeps the supply on until then, whatever the credit."""

    until: datetime
    reason: str
    placed_by: str
    placed_at: datetime

    @classmethod
    def of(cls, row: Row[Any] | None) -> "KeepOnResponse | None":
        if row is None:
            return None
        return cls.model_validate(row, from_attributes=True)


class AccountResponse(BaseModel):
    account_id: int
    customer_id: int
    customer_name: str
    language: str
    state: Literal["open", "leaving", "closed"] = Field(
        description="leaving: moved out, not yet settled"
    )
    currency: str
    time_zone: str
    credit_policy: str
    customer_class: str
    protected: bool
    protected_until: datetime | None
    keep_on: KeepOnResponse | None
    opened_at: datetime
    closed_at: datetime | None
    balance: Money
    debt: Money = Field(description="all debts together")
    granted: Money = Field(description="what is left of all granted credits")
    emergency_credit: EmergencyResponse
    amount_to_clear: Money = Field(description="the smallest top-up that restores supply")
    supply_desired: Literal["on", "off"]
    supply_reason: str

    @classmethod
    def of(cls, view: AccountView) -> "AccountResponse":
        return cls.model_validate(account_fields(view))


class DesiredSupplyResponse(BaseModel):
    state: Literal["on", "off"]
    limit_w: int | None = Field(description="the most power it may draw; null is no limit")
    revision: int
    reason: str
    decided_at: datetime


class ReportedSupplyResponse(BaseModel):
    state: Literal["on", "off", "unknown"]
    limit_w: int | None
    desired_revision: int | None
    verified: bool
    observed_at: datetime
    detail: str
    awaits: Literal["", "customer", "power", "link"] = Field(
        description="what is still to come: a press on the meter's button, power that proves the "
        "relay closed, or a link to the meter"
    )
    blocked_by: str = Field(
        description="why it is not switched at all, empty where it is: suspect (another meter "
        "answers than the one installed), moved (by hand), "
        "stopped (the gateway opens no more), pushed (it sends its readings and is not reached), "
        "no_relay"
    )


class SupplyResponse(BaseModel):
    installation_id: int
    desired: DesiredSupplyResponse
    reported: ReportedSupplyResponse | None
    keep_on: KeepOnResponse | None

    @classmethod
    def of(cls, row: Row[Any], keep_on: Row[Any] | None) -> "SupplyResponse":
        reported = None
        if row.reported_state is not None:
            reported = ReportedSupplyResponse(
                state=row.reported_state,
                limit_w=row.reported_limit_w,
                desired_revision=row.reported_revision,
                verified=row.verified,
                observed_at=row.observed_at,
                detail=row.detail,
                awaits=row.awaits,
                blocked_by=row.blocked_by,
            )
        desired = DesiredSupplyResponse(
            state=row.state,
            limit_w=row.limit_w,
            revision=row.revision,
            reason=row.reason,
            decided_at=row.decided_at,
        )
        return cls(
            installation_id=row.installation_id,
            desired=desired,
            reported=reported,
            keep_on=KeepOnResponse.of(keep_on),
        )


class InstallationResponse(BaseModel):
    installation_id: int
    usage_point_id: int
    label: str
    commodity: str
    max_power_w: int
    meter: MeterDocument
    plan_code: str
    opening_register: Energy
    closing_register: Energy | None
    opened_at: datetime
    closed_at: datetime | None
    rating_ended_at: datetime | None = Field(
        description="from then on nothing is charged, and the closing register is final"
    )


class AccountDetailResponse(AccountResponse):
    contacts: list[ContactDocument]
    installations: list[InstallationResponse]
    supply: list[SupplyResponse]


class ProtectionRequest(Schema):
    protected: bool
    until: Instant | None = Field(
        default=None, description="when protection ends by itself; null is never"
    )


class KeepOnRequest(Schema):
    """Why, and until when, a supply is kept on whatever the credit."""

    until: Instant = Field(examples=["2026-12-01T08:00:00Z"])
    reason: Line = Field(examples=["Oxygen at home until Tuesday; the bill is being looked into"])


def opened_facts(command: OpenAccount, opened: Opened) -> dict[str, Any]:
    """What the audit trail keeps of an opening."""
    return {
        "customer_id": opened.customer_id,
        "installation_id": opened.installation_id,
        "meter": command.meter.serial,
        "opening_register_wh": command.opening_register_wh,
        "plan_code": command.plan_code,
        "credit_policy": opened.policy_code,
    }


def account_fields(view: AccountView) -> dict[str, Any]:
    facts, account = view.facts, view.account
    position, currency = account.position, account.currency
    return {
        "account_id": facts.account_id,
        "customer_id": facts.customer_id,
        "customer_name": facts.customer_name,
        "language": facts.language,
        "state": _state(facts, position),
        "currency": currency,
        "time_zone": facts.time_zone,
        "credit_policy": facts.policy_code,
        "customer_class": facts.customer_class,
        "protected": position.protected,
        "protected_until": position.protected_until,
        "keep_on": KeepOnResponse.of(view.keep_on),
        "opened_at": facts.opened_at,
        "closed_at": facts.closed_at,
        "balance": Money.of(position.balance_micro, currency),
        "debt": Money.of(position.debt_micro, currency),
        "granted": Money.of(position.grant_micro, currency),
        "emergency_credit": EmergencyResponse.of(view),
        "amount_to_clear": Money.of(view.amount_to_clear_micro, currency),
        "supply_desired": "on" if position.supply_on else "off",
        "supply_reason": account.reason.value,
    }


def _state(facts: Row[Any], position: Position) -> str:
    if not position.closed:
        return "open"
    return "leaving" if facts.closed_at is None else "closed"


def to_api_detail(detail: AccountDetail) -> AccountDetailResponse:
    return AccountDetailResponse.model_validate(
        {
            **account_fields(detail.view),
            "contacts": detail.view.facts.contacts,
            "installations": [_installation(row) for row in detail.installations],
            "supply": [SupplyResponse.of(row, detail.view.keep_on) for row in detail.supplies],
        }
    )


def _installation(row: Row[Any]) -> dict[str, Any]:
    closing = row.closing_register_wh
    return {
        **row._mapping,
        "meter": {name: row._mapping[name] for name in MeterDocument.model_fields},
        "opening_register": Energy.of(row.opening_register_wh),
        "closing_register": None if closing is None else Energy.of(closing),
    }
