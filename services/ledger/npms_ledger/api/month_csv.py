"""A month's statement as comma-separated values.

Of each bucket: what it held first, plus every amount, is what it held last. Charges are summed by
day and line and negative, since they take from the balance; everything else is posting by posting.
"""

import csv
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from npms_ledger.api.month_schemas import shown_amount
from npms_ledger.domain.explaining import LineKey
from npms_ledger.domain.monthly import Booked, Day, summed
from npms_ledger.handlers.monthly_statement import Month
from npms_shared.money import format_amount

HEADER = (
    *("date", "type", "bucket", "component", "period", "block", "energy_kwh"),
    *("amount", "amount_shown", "currency", "reference", "label", "reason"),
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def to_csv(month: Month) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(HEADER)
    writer.writerows(_rows(month))
    return text.getvalue()


def _rows(month: Month) -> Iterator[tuple[Any, ...]]:
    currency = month.account.currency
    for bucket in month.buckets():
        yield _value(month.begins.date(), "opening", bucket, month.opening[bucket], currency)
    for day in month.days:
        yield from _of_day(day, currency)
    last = month.days[-1].day if month.days else month.begins.date()
    for bucket in month.buckets():
        yield _value(last, "closing", bucket, month.closing[bucket], currency)


def _of_day(day: Day, currency: str) -> Iterator[tuple[Any, ...]]:
    for key, amounts in summed([day]).items():
        yield _charge(day, key, amounts, currency)
    posted = [booked for top_up in day.top_ups for booked in top_up.postings] + day.others
    for booked in sorted(posted, key=lambda booked: booked.seq):
        yield _posting(day, booked, currency)


def _value(day: Any, kind: str, bucket: str, amount_micro: int, currency: str) -> tuple[Any, ...]:
    return (day, kind, bucket, "", "", "", "", *_money(amount_micro, currency), "", "", "")


def _charge(day: Day, key: LineKey, amounts: tuple[int, int], currency: str) -> tuple[Any, ...]:
    component, period, block = key
    energy = f"{Decimal(amounts[0]) / 1000:.3f}"
    what = (_safe(component), _safe(period), block or "", energy)
    return (day.day, "charge", "balance", *what, *_money(-amounts[1], currency), "", "", "")


def _posting(day: Day, booked: Booked, currency: str) -> tuple[Any, ...]:
    paid = booked.paid
    words = (_safe(booked.reference), _safe(paid.label), _safe(booked.reason))
    money = _money(paid.amount_micro, currency)
    return (day.day, paid.kind, paid.bucket, "", "", "", "", *money, *words)


def _money(amount_micro: int, currency: str) -> tuple[str, str, str]:
    return format_amount(amount_micro), shown_amount(amount_micro, currency), currency


def _safe(text: str) -> str:
    """What a payer wrote must not be run as a formula by the program that opens the file."""
    return f"'{text}" if text.startswith(_FORMULA) else text
