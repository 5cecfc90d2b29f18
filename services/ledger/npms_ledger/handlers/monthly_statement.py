"""A month's statement of an account, made from its postings whenever it is asked for."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.explaining import Paid
from npms_ledger.domain.monthly import Booked, Day, by_day
from npms_ledger.handlers.explain import head_of
from npms_ledger.handlers.explain_errors import NoStatement
from npms_ledger.storage import explanations


@dataclass(frozen=True, slots=True)
class Month:
    """`opening` and `closing` are by bucket, positive in the customer's favour; `sums` are rows of
    (bucket, kind, entries, amount_micro) that lead from one to the other; `over` says whether the
    month has ended, so that nothing can be added.
    """

    account: Row[Any]
    begins: datetime
    ends: datetime
    over: bool
    opening: dict[str, int]
    closing: dict[str, int]
    sums: Sequence[Row[Any]]
    days: list[Day]

    @property
    def name(self) -> str:
        """E.g. 2026-11."""
        return self.begins.strftime("%Y-%m")

    def buckets(self) -> list[str]:
        """The balance, and every other bucket that held or moved anything."""
        moved = {row.bucket for row in self.sums}
        return [
            bucket
            for bucket, value in self.opening.items()
            if bucket == "balance" or value or self.closing[bucket] or bucket in moved
        ]


async def month_of(
    conn: AsyncConnection, account_id: int, year: int, month: int, *, now: datetime
) -> Month:
    """Local days from the first to the last of the month. Raises AccountUnknown, NoStatement for a
    month before the account was opened or that has not begun.
    """
    head = await head_of(conn, account_id)
    zone = ZoneInfo(head.time_zone)
    begins = datetime.combine(date(year, month, 1), time(), zone)
    following = date(year + month // 12, month % 12 + 1, 1)
    ends = datetime.combine(following, time(), zone)
    if begins > now or ends <= head.opened_at:
        raise NoStatement(account_id, begins.strftime("%Y-%m"))
    first = await explanations.first_from(conn, account_id, begins)
    before = max(first, await explanations.first_from(conn, account_id, ends))
    opening = await explanations.values_before(conn, account_id, first)
    rows = await explanations.entries(conn, account_id, first=first, before=before)
    return Month(
        account=head,
        begins=begins,
        ends=ends,
        over=ends <= now,
        opening=opening,
        closing=await explanations.values_before(conn, account_id, before),
        sums=await explanations.sums(conn, account_id, first=first, before=before),
        days=by_day(map(_booked, rows), opening_micro=opening["balance"], zone=zone),
    )


def _booked(row: Row[Any]) -> Booked:
    bucket, kind = row.bucket, row.kind
    if kind == "charge":
        paid = Paid(bucket, kind, row.amount_micro, row.after_micro, None, "", 0)
        lines = orjson.loads(row.lines)
        return Booked(row.seq, row.posted_at, paid, row.energy_wh, lines)
    label, tax_micro = row.label or "", row.tax_micro or 0
    paid = Paid(bucket, kind, row.amount_micro, row.after_micro, row.item_no, label, tax_micro)
    return Booked(
        seq=row.seq,
        at=row.posted_at,
        paid=paid,
        payment_id=row.payment_id,
        source=row.source or "",
        reference=row.reference or "",
        reason=row.reason or "",
    )
