"""A month's statement on REST, exact and as people read it."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID

from babel.numbers import get_currency_precision
from pydantic import BaseModel, Field

from npms_ledger.domain.explaining import LineKey, Part
from npms_ledger.domain.monthly import Booked, Day, TopUp, summed
from npms_ledger.handlers.monthly_statement import Month
from npms_shared.money import MICRO, format_amount
from npms_shared.web.schemas import Energy

PATH_EXAMPLE = "2026-11"


class StatementMoney(BaseModel):
    """An exact amount, and beside it one rounded to the currency's usual decimals."""

    amount: str = Field(examples=["12.340567"])
    shown: str = Field(description="rounded half up", examples=["12.34"])
    currency: str = Field(examples=["KES"])

    @classmethod
    def of(cls, amount_micro: int, currency: str) -> "StatementMoney":
        return cls(
            amount=format_amount(amount_micro),
            shown=shown_amount(amount_micro, currency),
            currency=currency,
        )


def shown_amount(amount_micro: int, currency: str) -> str:
    """With the decimals that the currency is written with: 2 for KES, 0 for UGX, 3 for KWD."""
    step = Decimal(1).scaleb(-get_currency_precision(currency))
    rounded = (Decimal(amount_micro) / MICRO).quantize(step, ROUND_HALF_UP)
    return f"{rounded or abs(rounded):f}"


class MonthLine(BaseModel):
    component: str = Field(examples=["energy"])
    period: str = Field(examples=["peak"])
    block: int = Field(examples=[1])
    energy: Energy
    amount: StatementMoney


class MonthPart(BaseModel):
    what: str = Field(description="a step of the waterfall", examples=["payment_debt"])
    label: str | None
    amount: StatementMoney
    tax: StatementMoney | None


class MonthTopUp(BaseModel):
    """`parts` sum to `amount`."""

    at: datetime
    payment_id: UUID | None
    source: str = Field(examples=["voucher"])
    reference: str
    amount: StatementMoney
    parts: list[MonthPart]


class MonthEntry(BaseModel):
    """Anything else that was posted; positive in the customer's favour."""

    seq: int
    at: datetime
    kind: str = Field(examples=["correction"])
    bucket: str = Field(examples=["balance"])
    label: str | None
    reason: str | None
    amount: StatementMoney


class MonthDay(BaseModel):
    """A local day on which something was posted; `charged` is the sum of its lines."""

    date: date
    energy: Energy
    charged: StatementMoney
    lines: list[MonthLine]
    top_ups: list[MonthTopUp]
    others: list[MonthEntry]
    balance: StatementMoney = Field(description="at its end")


class MonthKind(BaseModel):
    kind: str = Field(examples=["charge"])
    entries: int
    amount: StatementMoney


class MonthBucket(BaseModel):
    """`opening` + the amounts of all kinds = `closing`, exactly."""

    bucket: str = Field(examples=["balance"])
    opening: StatementMoney
    kinds: list[MonthKind]
    closing: StatementMoney


class MonthTotals(BaseModel):
    energy: Energy
    charged: StatementMoney
    lines: list[MonthLine]
    topped_up: StatementMoney


class MonthStatement(BaseModel):
    """Days are those of posting, in the account's local time."""

    account_id: int
    customer_id: int
    customer_name: str
    month: str = Field(examples=[PATH_EXAMPLE])
    time_zone: str = Field(examples=["Africa/Nairobi"])
    begins: datetime
    ends: datetime
    over: bool = Field(description="false while something can still be posted in this month")
    currency: str = Field(examples=["KES"])
    buckets: list[MonthBucket]
    totals: MonthTotals
    days: list[MonthDay]


def to_api_month(month: Month) -> MonthStatement:
    account, currency = month.account, month.account.currency
    return MonthStatement(
        account_id=account.account_id,
        customer_id=account.customer_id,
        customer_name=account.customer_name,
        month=month.name,
        time_zone=account.time_zone,
        begins=month.begins,
        ends=month.ends,
        over=month.over,
        currency=currency,
        buckets=[_bucket(month, bucket) for bucket in month.buckets()],
        totals=_totals(month, currency),
        days=[_day(day, month) for day in month.days],
    )


def _bucket(month: Month, bucket: str) -> MonthBucket:
    currency = month.account.currency
    return MonthBucket(
        bucket=bucket,
        opening=StatementMoney.of(month.opening[bucket], currency),
        kinds=[
            MonthKind(
                kind=row.kind,
                entries=row.entries,
                amount=StatementMoney.of(row.amount_micro, currency),
            )
            for row in month.sums
            if row.bucket == bucket
        ],
        closing=StatementMoney.of(month.closing[bucket], currency),
    )


def _totals(month: Month, currency: str) -> MonthTotals:
    paid = sum(top_up.amount_micro for day in month.days for top_up in day.top_ups)
    return MonthTotals(
        energy=Energy.of(sum(day.energy_wh for day in month.days)),
        charged=StatementMoney.of(sum(day.charged_micro for day in month.days), currency),
        lines=_lines(summed(month.days), currency),
        topped_up=StatementMoney.of(paid, currency),
    )


def _day(day: Day, month: Month) -> MonthDay:
    currency = month.account.currency
    zone = month.begins.tzinfo
    return MonthDay(
        date=day.day,
        energy=Energy.of(day.energy_wh),
        charged=StatementMoney.of(day.charged_micro, currency),
        lines=_lines(summed([day]), currency),
        top_ups=[
            _top_up(top_up, at=top_up.at.astimezone(zone), currency=currency)
            for top_up in day.top_ups
        ],
        others=[_entry(one, at=one.at.astimezone(zone), currency=currency) for one in day.others],
        balance=StatementMoney.of(day.balance_micro, currency),
    )


def _lines(sums: Mapping[LineKey, tuple[int, int]], currency: str) -> list[MonthLine]:
    return [
        MonthLine(
            component=component,
            period=period,
            block=block,
            energy=Energy.of(energy_wh),
            amount=StatementMoney.of(amount_micro, currency),
        )
        for (component, period, block), (energy_wh, amount_micro) in sums.items()
    ]


def _top_up(top_up: TopUp, *, at: datetime, currency: str) -> MonthTopUp:
    return MonthTopUp(
        at=at,
        payment_id=top_up.payment_id,
        source=top_up.source,
        reference=top_up.reference,
        amount=StatementMoney.of(top_up.amount_micro, currency),
        parts=[_part(part, currency) for part in top_up.parts],
    )


def _part(part: Part, currency: str) -> MonthPart:
    return MonthPart(
        what=part.what,
        label=part.label or None,
        amount=StatementMoney.of(part.amount_micro, currency),
        tax=StatementMoney.of(part.tax_micro, currency) if part.tax_micro else None,
    )


def _entry(one: Booked, *, at: datetime, currency: str) -> MonthEntry:
    return MonthEntry(
        seq=one.seq,
        at=at,
        kind=one.paid.kind,
        bucket=one.paid.bucket,
        label=one.paid.label or None,
        reason=one.reason or None,
        amount=StatementMoney.of(one.paid.amount_micro, currency),
    )
