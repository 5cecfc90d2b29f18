"""A month's statement on REST, exact and as people read it."""

from collections.abc import Mapping
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Self
from uuid import UUID

from babel.numbers import get_currency_precision
from pydantic import BaseModel, Field

from npms_ledger.domain.explaining import LineKey, Part
from npms_ledger.domain.monthly import Booked, Day, TopUp, summed
from npms_ledger.handlers.monthly_statement import Month
from npms_shared.money import MICRO, format_amount
from npms_shared.web.schemas import Energy

PATH_EXAMPLE = "2026-11"


class StatementMoneyResponse(BaseModel):
    """An exact amount, and beside it one rounded to the currency's usual decimals."""

    amount: str = Field(examples=["12.340567"])
    shown: str = Field(description="rounded half up", examples=["12.34"])
    currency: str = Field(examples=["KES"])

    @classmethod
    def of(cls, amount_micro: int, currency: str) -> Self:
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


class MonthLineResponse(BaseModel):
    component: str = Field(examples=["energy"])
    period: str = Field(examples=["peak"])
    block: int = Field(examples=[1])
    energy: Energy
    amount: StatementMoneyResponse


class MonthPartResponse(BaseModel):
    what: str = Field(description="a step of the waterfall", examples=["payment_debt"])
    label: str | None
    amount: StatementMoneyResponse
    tax: StatementMoneyResponse | None

    @classmethod
    def of(cls, part: Part, currency: str) -> Self:
        return cls(
            what=part.what,
            label=part.label or None,
            amount=StatementMoneyResponse.of(part.amount_micro, currency),
            tax=StatementMoneyResponse.of(part.tax_micro, currency) if part.tax_micro else None,
        )


class MonthTopUpResponse(BaseModel):
    """`parts` sum to `amount`."""

    at: datetime
    payment_id: UUID | None
    source: str = Field(examples=["voucher"])
    reference: str
    amount: StatementMoneyResponse
    parts: list[MonthPartResponse]

    @classmethod
    def of(cls, top_up: TopUp, *, at: datetime, currency: str) -> Self:
        return cls(
            at=at,
            payment_id=top_up.payment_id,
            source=top_up.source,
            reference=top_up.reference,
            amount=StatementMoneyResponse.of(top_up.amount_micro, currency),
            parts=[MonthPartResponse.of(part, currency) for part in top_up.parts],
        )


class MonthPostingResponse(BaseModel):
    """Anything else that was posted; positive in the customer's favour."""

    seq: int
    at: datetime
    kind: str = Field(examples=["correction"])
    bucket: str = Field(examples=["balance"])
    label: str | None
    reason: str | None
    amount: StatementMoneyResponse

    @classmethod
    def of(cls, booked: Booked, *, at: datetime, currency: str) -> Self:
        return cls(
            seq=booked.seq,
            at=at,
            kind=booked.paid.kind,
            bucket=booked.paid.bucket,
            label=booked.paid.label or None,
            reason=booked.reason or None,
            amount=StatementMoneyResponse.of(booked.paid.amount_micro, currency),
        )


class MonthDayResponse(BaseModel):
    """A local day on which something was posted; `charged` is the sum of its lines."""

    date: date
    energy: Energy
    charged: StatementMoneyResponse
    lines: list[MonthLineResponse]
    top_ups: list[MonthTopUpResponse]
    others: list[MonthPostingResponse]
    balance: StatementMoneyResponse = Field(description="at its end")

    @classmethod
    def of(cls, day: Day, month: Month) -> Self:
        currency = month.account.currency
        zone = month.begins.tzinfo
        return cls(
            date=day.day,
            energy=Energy.of(day.energy_wh),
            charged=StatementMoneyResponse.of(day.charged_micro, currency),
            lines=_lines(summed([day]), currency),
            top_ups=[
                MonthTopUpResponse.of(top_up, at=top_up.at.astimezone(zone), currency=currency)
                for top_up in day.top_ups
            ],
            others=[
                MonthPostingResponse.of(booked, at=booked.at.astimezone(zone), currency=currency)
                for booked in day.others
            ],
            balance=StatementMoneyResponse.of(day.balance_micro, currency),
        )


class MonthKindResponse(BaseModel):
    kind: str = Field(examples=["charge"])
    entries: int
    amount: StatementMoneyResponse


class MonthBucketResponse(BaseModel):
    """`opening` + the amounts of all kinds = `closing`, exactly."""

    bucket: str = Field(examples=["balance"])
    opening: StatementMoneyResponse
    kinds: list[MonthKindResponse]
    closing: StatementMoneyResponse

    @classmethod
    def of(cls, month: Month, bucket: str) -> Self:
        currency = month.account.currency
        return cls(
            bucket=bucket,
            opening=StatementMoneyResponse.of(month.opening[bucket], currency),
            kinds=[
                MonthKindResponse(
                    kind=row.kind,
                    entries=row.entries,
                    amount=StatementMoneyResponse.of(row.amount_micro, currency),
                )
                for row in month.sums
                if row.bucket == bucket
            ],
            closing=StatementMoneyResponse.of(month.closing[bucket], currency),
        )


class MonthTotalsResponse(BaseModel):
    energy: Energy
    charged: StatementMoneyResponse
    lines: list[MonthLineResponse]
    topped_up: StatementMoneyResponse

    @classmethod
    def of(cls, month: Month, currency: str) -> Self:
        paid = sum(top_up.amount_micro for day in month.days for top_up in day.top_ups)
        return cls(
            energy=Energy.of(sum(day.energy_wh for day in month.days)),
            charged=StatementMoneyResponse.of(
                sum(day.charged_micro for day in month.days), currency
            ),
            lines=_lines(summed(month.days), currency),
            topped_up=StatementMoneyResponse.of(paid, currency),
        )


class MonthStatementResponse(BaseModel):
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
    buckets: list[MonthBucketResponse]
    totals: MonthTotalsResponse
    days: list[MonthDayResponse]

    @classmethod
    def of(cls, month: Month) -> Self:
        account, currency = month.account, month.account.currency
        return cls(
            account_id=account.account_id,
            customer_id=account.customer_id,
            customer_name=account.customer_name,
            month=month.name,
            time_zone=account.time_zone,
            begins=month.begins,
            ends=month.ends,
            over=month.over,
            currency=currency,
            buckets=[MonthBucketResponse.of(month, bucket) for bucket in month.buckets()],
            totals=MonthTotalsResponse.of(month, currency),
            days=[MonthDayResponse.of(day, month) for day in month.days],
        )


def _lines(sums: Mapping[LineKey, tuple[int, int]], currency: str) -> list[MonthLineResponse]:
    return [
        MonthLineResponse(
            component=component,
            period=period,
            block=block,
            energy=Energy.of(energy_wh),
            amount=StatementMoneyResponse.of(amount_micro, currency),
        )
        for (component, period, block), (energy_wh, amount_micro) in sums.items()
    ]
