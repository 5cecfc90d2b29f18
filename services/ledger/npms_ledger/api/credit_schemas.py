"""Credits on REST: the balance, emergency credit and grants as objects with states."""

from datetime import datetime
from typing import Literal, Self

from pydantic import BaseModel, Field, model_validator

from npms_ledger.domain.credits import Credit
from npms_ledger.domain.grant import ChargeKind, GrantKind, GrantTerms
from npms_ledger.handlers.grants import NewGrant
from npms_shared.web.schemas import CodedError, Instant, Line, Money, Schema


class GrantRequest(Schema):
    """A credit of its own amount (`amount`), or one that keeps supply on until a time (`time`)."""

    label: Line = Field(examples=["free basic units"])
    kind: Literal["amount", "time"] = Field(default="amount", examples=["amount"])
    amount: Money | None = Field(default=None, description="of kind amount: what is granted")
    priority: int = Field(
        default=5,
        ge=1,
        le=999,
        description="below 10 it is used before the balance, else when that is at its floor",
    )
    draws_on: list[Literal["consumption", "debt"]] = Field(
        default=["consumption"], min_length=1, description="the charges that may draw on it"
    )
    ends_at: Instant | None = Field(
        default=None, description="what is left then expires", examples=["2026-12-31T21:00:00Z"]
    )
    monthly: bool = Field(default=False, description="granted anew in each local month")
    rollover_max: Money | None = Field(
        default=None, description="monthly: how much of what is left stays; null: nothing"
    )
    reason: Line = Field(examples=["municipal indigent register"])

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.kind == "amount") == (self.amount is None):
            raise CodedError("amount_or_time", "send an amount for kind amount, and only for that")
        if self.kind == "time" and self.ends_at is None:
            raise CodedError("time_credit_without_end", "send ends_at: until when supply stays on")
        moneys = [money for money in (self.amount, self.rollover_max) if money is not None]
        if any(money.micro < 0 for money in moneys):
            raise CodedError("negative_amount", "amounts are not negative")
        if len({money.currency for money in moneys}) > 1:
            raise CodedError("currency_mismatch", "amount and rollover_max differ in currency")
        return self

    def to_new(self) -> NewGrant:
        """Raises TermsError."""
        terms = GrantTerms(
            label=self.label,
            kind=GrantKind(self.kind),
            priority=self.priority,
            amount_micro=self.amount.micro if self.amount else 0,
            draws_on=frozenset(ChargeKind(kind) for kind in self.draws_on),
            monthly=self.monthly,
            rollover_max_micro=self.rollover_max.micro if self.rollover_max else 0,
        )
        return NewGrant(
            terms, self.ends_at, self.reason, self.amount.currency if self.amount else None
        )


class CreditResponse(BaseModel):
    """One credit object, its state as in DLMS; at most one of an account is in use."""

    kind: str = Field(description="balance, grant, time, emergency", examples=["grant"])
    number: int | None = Field(description="of a grant or time credit", examples=[1])
    label: str
    priority: int = Field(description="the lowest is used first", examples=[5])
    state: str = Field(
        description="enabled, selectable, invoked, in_use, exhausted", examples=["in_use"]
    )
    available: Money = Field(description="what it can still give")
    draws_on: list[str]
    ends_at: datetime | None
    renews_at: datetime | None = Field(description="when the next month's amount is granted")
    rollover_max: Money | None

    @classmethod
    def of(cls, credit: Credit, currency: str) -> Self:
        grant = credit.grant
        rollover = grant.terms.rollover_max_micro if grant and grant.terms.monthly else None
        draws_on = grant.terms.draws_on if grant else ChargeKind
        return cls(
            kind=credit.kind,
            number=credit.number,
            label=credit.label,
            priority=credit.priority,
            state=credit.state.value,
            available=Money.of(credit.available_micro, currency),
            draws_on=sorted(kind.value for kind in draws_on),
            ends_at=credit.ends_at,
            renews_at=grant.renews_at if grant else None,
            rollover_max=None if rollover is None else Money.of(rollover, currency),
        )
