"""Accounts on REST."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.api.supply_schemas import KeepOnResponse, SupplyResponse
from npms_ledger.domain.position import Position
from npms_ledger.handlers.look import AccountDetail, AccountView
from npms_shared.web.schemas import (
    Energy,
    Instant,
    Line,
    Money,
    Schema,
)


class ContactDocument(Schema):
    channel: Literal["email", "sms"]
    address: str = Field(min_length=3, max_length=200, examples=["+254700000001"])


class MeterDocument(Schema):
    serial: Line = Field(examples=["SIM-0001"])
    profile: Line = Field(examples=["generic-1"])
    host: Line = Field(examples=["127.0.0.1"])
    port: int = Field(ge=0, le=65535, description="0: its readings are sent to us", examples=[5020])
    unit_id: int = Field(ge=0, le=255, examples=[1])


class EmergencyResponse(BaseModel):
    state: str = Field(
        description="enabled, selectable (offered), invoked (accepted), in_use, exhausted"
    )
    limit: Money | None
    used: Money
    available: Money

    @classmethod
    def of(cls, view: AccountView) -> Self:
        position, currency = view.account.position, view.account.currency
        terms = view.account.policy.emergency
        return cls(
            state=position.emergency.value,
            limit=Money.of(terms.limit_micro, currency) if terms else None,
            used=Money.of(position.emergency_used_micro, currency),
            available=Money.of(view.emergency_available_micro, currency),
        )


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
    def of(cls, view: AccountView) -> Self:
        return cls.model_validate(_fields_of(view))


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

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        closing = row.closing_register_wh
        return cls.model_validate(
            {
                **row._mapping,
                "meter": {name: row._mapping[name] for name in MeterDocument.model_fields},
                "opening_register": Energy.of(row.opening_register_wh),
                "closing_register": None if closing is None else Energy.of(closing),
            }
        )


class AccountDetailResponse(AccountResponse):
    contacts: list[ContactDocument]
    installations: list[InstallationResponse]
    supply: list[SupplyResponse]

    @classmethod
    def of_detail(cls, detail: AccountDetail) -> Self:
        """The account itself, and what belongs to it."""
        return cls.model_validate(
            {
                **_fields_of(detail.view),
                "contacts": detail.view.facts.contacts,
                "installations": [InstallationResponse.of(row) for row in detail.installations],
                "supply": [SupplyResponse.of(row, detail.view.keep_on) for row in detail.supplies],
            }
        )


class ProtectionRequest(Schema):
    protected: bool
    until: Instant | None = Field(
        default=None, description="when protection ends by itself; null is never"
    )


def _fields_of(view: AccountView) -> dict[str, Any]:
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
        "keep_on": None if view.keep_on is None else KeepOnResponse.of(view.keep_on),
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
