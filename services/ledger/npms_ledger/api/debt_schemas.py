"""Debts on REST."""

from datetime import datetime
from typing import Any, Literal, Self

from pydantic import BaseModel, Field, model_validator
from sqlalchemy import Row

from npms_ledger.domain.debt import DebtKind, DebtTerms
from npms_ledger.domain.periods import Period, PerPeriod
from npms_ledger.handlers.debts import NewDebt
from npms_shared.money import format_amount, parse_amount
from npms_shared.web.schemas import Amount, CodedError, Line, Money, Schema


class AmountPerPeriodDocument(Schema):
    amount: Amount = Field(examples=["15.00"])
    period: Literal["day", "week", "month"] = Field(examples=["week"])

    @classmethod
    def of(cls, limit: PerPeriod) -> Self:
        return cls(amount=format_amount(limit.amount_micro), period=limit.period.value)

    def to_per_period(self) -> PerPeriod:
        return PerPeriod(parse_amount(self.amount), Period(self.period))


class DebtTermsRequest(Schema):
    """How a debt is recovered: from top-ups (`payment`), or a fixed amount by `time`."""

    label: Line = Field(examples=["arrears of 2025"])
    kind: Literal["payment", "time"] = Field(default="payment", examples=["payment"])
    priority: int = Field(default=100, ge=1, le=1000, description="the lowest first")
    share_ppm: int | None = Field(
        default=None,
        ge=0,
        le=1_000_000,
        description="millionths of what a top-up has left at its turn; null: the policy's share",
        examples=[250_000],
    )
    minimum: Amount | None = Field(
        default=None, description="at least this of each top-up", examples=["2.00"]
    )
    cap: AmountPerPeriodDocument | None = Field(
        default=None, description="at most this a local period"
    )
    rate: AmountPerPeriodDocument | None = Field(
        default=None, description="of kind time: what is taken, at local midnight", examples=[None]
    )
    suspend_in_emergency: bool = Field(
        default=False, description="take nothing while emergency credit is used"
    )
    suspend_when_off: bool = Field(default=False, description="take nothing while supply is off")

    def to_terms(self) -> DebtTerms:
        """Raises TermsError."""
        return DebtTerms(
            label=self.label,
            kind=DebtKind(self.kind),
            priority=self.priority,
            share_ppm=self.share_ppm,
            minimum_micro=parse_amount(self.minimum) if self.minimum else 0,
            cap=self.cap.to_per_period() if self.cap else None,
            rate=self.rate.to_per_period() if self.rate else None,
            suspend_in_emergency=self.suspend_in_emergency,
            suspend_when_off=self.suspend_when_off,
        )


class DebtRequest(DebtTermsRequest):
    """A debt to take over."""

    amount: Money
    reason: Line = Field(examples=["agreed with the customer on 3 March"])

    @model_validator(mode="after")
    def _is_owed(self) -> Self:
        if self.amount.micro <= 0:
            raise CodedError("not_positive", "a debt is more than nothing")
        return self

    def to_new(self) -> NewDebt:
        """Raises TermsError."""
        return NewDebt(self.to_terms(), self.amount.micro, self.reason)


class ChangeDebtRequest(DebtTermsRequest):
    """All terms of a debt anew; what is left of it stays."""

    reason: Line = Field(examples=["hardship: lower share"])


class DebtResponse(BaseModel):
    """A debt, its terms, who set them. Debt 0 is what nobody gave terms: the policy's share."""

    debt_no: int
    label: str
    kind: str
    priority: int
    remaining: Money
    share_ppm: int | None
    minimum: Money | None
    cap: dict[str, str] | None = Field(examples=[{"amount": "15.000000", "period": "week"}])
    taken_in_period: Money | None = Field(description="recovered in the period since `taken_since`")
    taken_since: str | None
    rate: dict[str, str] | None = Field(examples=[None])
    next_at: datetime | None = Field(description="when time next recovers something")
    suspend_in_emergency: bool
    suspend_when_off: bool
    added_at: datetime
    added_by: str
    added_why: str
    changed_at: datetime | None
    changed_by: str | None
    changed_why: str | None

    @classmethod
    def of(cls, row: Row[Any], currency: str) -> Self:
        has_cap = row.cap_micro is not None
        return cls(
            **{name: row._mapping[name] for name in _AS_STORED},
            remaining=Money.of(row.remaining_micro, currency),
            minimum=Money.of(row.minimum_micro, currency) if row.minimum_micro else None,
            cap=_per_period(row.cap_micro, row.cap_period, currency),
            taken_in_period=Money.of(row.taken_micro, currency) if has_cap else None,
            taken_since=row.taken_since.isoformat() if row.taken_since else None,
            rate=_per_period(row.rate_micro, row.rate_period, currency),
        )


_AS_STORED = (
    "debt_no",
    "label",
    "kind",
    "priority",
    "share_ppm",
    "next_at",
    "suspend_in_emergency",
    "suspend_when_off",
    "added_at",
    "added_by",
    "added_why",
    "changed_at",
    "changed_by",
    "changed_why",
)


def _per_period(amount_micro: int | None, period: str, currency: str) -> dict[str, str] | None:
    if amount_micro is None:
        return None
    return {"amount": Money.of(amount_micro, currency).amount, "period": period}
