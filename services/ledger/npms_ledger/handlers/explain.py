"""Why: how a charge, a balance, a cut and a top-up came about, from what was posted and decided."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import orjson
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.documents import from_document
from npms_ledger.domain.explaining import LineKey, Paid, Part, parts_of
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.handlers.explain_errors import DecisionUnknown, PostingUnknown
from npms_ledger.handlers.money_errors import PaymentUnknown
from npms_ledger.handlers.policies import WrittenPolicy
from npms_ledger.storage import explanations, payments

MOST_ENTRIES = 200
CLOCKS_DIFFER = timedelta(hours=1)
"""A charge may be posted so much earlier than the readings say that it begins."""
_TICK = timedelta(microseconds=1)

Sums = dict[LineKey, tuple[int, int]]
"""(energy_wh, amount_micro) of each line."""


@dataclass(frozen=True, slots=True)
class PostingStory:
    """`row` is the posting with what it was for. Of a charge `before` and `after` are the costs
    that it is the difference of, counted from `counted_from`, the first reading of its month.
    """

    row: Row[Any]
    currency: str
    before: Sums
    after: Sums
    counted_from: Row[Any] | None
    roundings: int


@dataclass(frozen=True, slots=True)
class BalanceStory:
    """Postings from number `first` to before number `before`: what lay in each bucket then, what
    came and went by kind, what charges were for.
    """

    currency: str
    first: int
    before: int
    opening: dict[str, int]
    closing: dict[str, int]
    sums: Sequence[Row[Any]]
    lines: Sequence[Row[Any]]


@dataclass(frozen=True, slots=True)
class SupplyStory:
    """`in_credit` is the last posting that left the balance above the floor, `entries` the newest
    of those after it; `since_top_up` is where the money went since the last top-up.
    """

    currency: str
    decision: Row[Any]
    policy: WrittenPolicy
    now: Sequence[Row[Any]]
    in_credit: Row[Any] | None
    entries: Sequence[Row[Any]]
    since_credit: BalanceStory
    since_top_up: BalanceStory


@dataclass(frozen=True, slots=True)
class TopUpStory:
    """`parts` sum to the payment; both are empty when it never was credited."""

    payment: Row[Any]
    parts: list[Part]
    before: dict[str, int]
    after: dict[str, int]
    credited_at: datetime | None
    reversal: Sequence[Row[Any]]


async def head_of(conn: AsyncConnection, account_id: int) -> Row[Any]:
    """Raises AccountUnknown."""
    head = await explanations.head(conn, account_id)
    if head is None:
        raise AccountUnknown(account_id)
    return head


async def explain_posting(conn: AsyncConnection, account_id: int, seq: int) -> PostingStory:
    """Raises AccountUnknown, PostingUnknown."""
    head = await head_of(conn, account_id)
    rows = await explanations.entries(conn, account_id, first=seq, before=seq + 1)
    if not rows:
        raise PostingUnknown(account_id, seq)
    (row,) = rows
    if row.kind != "charge":
        return PostingStory(row, head.currency, {}, {}, None, 1)
    return await _explain_charge(conn, row, head)


async def _explain_charge(conn: AsyncConnection, row: Row[Any], head: Row[Any]) -> PostingStory:
    zone = ZoneInfo(head.time_zone)
    begins, months = _months(row.from_at, row.to_at, zone)
    first = await explanations.first_from(conn, row.account_id, begins - CLOCKS_DIFFER)
    lines = await explanations.lines_charged_before(conn, row, begins=begins, first=first)
    before = {(one.component, one.period, one.block): _sums(one) for one in lines}
    after = dict(before)
    for component, period, block, energy_wh, amount_micro in orjson.loads(row.lines):
        was_wh, was_micro = after.get((component, period, block), (0, 0))
        after[component, period, block] = was_wh + energy_wh, was_micro + amount_micro
    counted_from = await explanations.first_charge(conn, row, begins=begins, first=first)
    return PostingStory(row, head.currency, before, after, counted_from, months)


def _sums(row: Row[Any]) -> tuple[int, int]:
    return row.energy_wh, row.amount_micro


def _months(begin: datetime, end: datetime, zone: ZoneInfo) -> tuple[datetime, int]:
    """When the local month of `begin` began, and how many months the span touches."""
    day, last = begin.astimezone(zone).date(), (end - _TICK).astimezone(zone).date()
    months = (last.year - day.year) * 12 + last.month - day.month + 1
    return datetime.combine(day.replace(day=1), time(), zone), max(months, 1)


async def explain_balance(
    conn: AsyncConnection, account_id: int, begin: datetime | None, end: datetime | None
) -> BalanceStory:
    """What changed the balance in [begin, end); without them since the opening, until now.

    Raises AccountUnknown.
    """
    head = await head_of(conn, account_id)
    first = 1 if begin is None else await explanations.first_from(conn, account_id, begin)
    before = head.seq + 1
    if end is not None:
        before = max(first, await explanations.first_from(conn, account_id, end))
    return await _tell_balance(conn, head, first=first, before=before)


async def _tell_balance(
    conn: AsyncConnection, head: Row[Any], *, first: int, before: int
) -> BalanceStory:
    account_id = head.account_id
    return BalanceStory(
        currency=head.currency,
        first=first,
        before=before,
        opening=await explanations.values_before(conn, account_id, first),
        closing=await explanations.values_before(conn, account_id, before),
        sums=await explanations.sums(conn, account_id, first=first, before=before),
        lines=await explanations.lines(conn, account_id, first=first, before=before),
    )


async def explain_supply(conn: AsyncConnection, account_id: int) -> SupplyStory:
    """The last cut, or where there was none the last decision. Raises AccountUnknown,
    DecisionUnknown.
    """
    head = await head_of(conn, account_id)
    decision = await explanations.deciding(conn, account_id)
    if decision is None:
        raise DecisionUnknown(account_id)
    before = await _before_decision(conn, decision)
    in_credit = await explanations.last_above(
        conn, account_id, before=before, floor_micro=decision.floor_micro
    )
    first = 1 if in_credit is None else in_credit.seq + 1
    return SupplyStory(
        currency=head.currency,
        decision=decision,
        policy=_policy_of(decision, head.currency),
        now=await explanations.supplies_now(conn, account_id),
        in_credit=in_credit,
        entries=await explanations.newest_entries(
            conn, account_id, first=first, before=before, limit=MOST_ENTRIES
        ),
        since_credit=await _tell_balance(conn, head, first=first, before=before),
        since_top_up=await _since_top_up(conn, head, before=before),
    )


def _policy_of(decision: Row[Any], currency: str) -> WrittenPolicy:
    return WrittenPolicy(
        code=decision.policy_code,
        version=decision.policy_version,
        currency=currency,
        policy=from_document(decision.policy),
        written_by=decision.policy_written_by,
        written_at=decision.policy_written_at,
    )


async def _before_decision(conn: AsyncConnection, decision: Row[Any]) -> int:
    """The number after the last posting that the decision knew."""
    account_id = decision.account_id
    if decision.journal_id is not None:
        rows = await _of_journal(conn, account_id, decision.journal_id)
        if rows:
            return int(rows[-1].seq) + 1
    return await explanations.first_from(conn, account_id, decision.decided_at + _TICK)


async def _of_journal(
    conn: AsyncConnection, account_id: int, journal_id: UUID
) -> Sequence[Row[Any]]:
    journal = await explanations.journal(conn, journal_id)
    first = await explanations.first_from(conn, account_id, journal.posted_at)
    before = await explanations.first_from(conn, account_id, journal.posted_at + _TICK)
    return await explanations.of_journal(
        conn,
        account_id,
        journal_id,
        first=first - explanations.OVERTAKEN,
        before=before + explanations.OVERTAKEN,
    )


async def _since_top_up(conn: AsyncConnection, head: Row[Any], *, before: int) -> BalanceStory:
    last = await explanations.last_top_up(conn, head.account_id, before=before)
    first = 1
    if last is not None:
        rows = await _of_journal(conn, head.account_id, last.journal_id)
        first = min(row.seq for row in rows)
    return await _tell_balance(conn, head, first=first, before=before)


async def account_of_payment(conn: AsyncConnection, payment_id: UUID) -> int:
    """Whose payment it is. Raises PaymentUnknown."""
    payment = await payments.find(conn, payment_id)
    if payment is None:
        raise PaymentUnknown(payment_id)
    account_id: int = payment.account_id
    return account_id


async def explain_top_up(conn: AsyncConnection, payment_id: UUID) -> TopUpStory:
    """Raises PaymentUnknown."""
    payment = await payments.find(conn, payment_id)
    if payment is None:
        raise PaymentUnknown(payment_id)
    account_id, journal_id = payment.account_id, payment.credit_journal_id
    rows: Sequence[Row[Any]] = []
    if journal_id is not None:
        rows = await _of_journal(conn, account_id, journal_id)
    reversal: Sequence[Row[Any]] = []
    if payment.reversal_journal_id is not None:
        reversal = await _of_journal(conn, account_id, payment.reversal_journal_id)
    before, after = await _around(conn, account_id, rows)
    return TopUpStory(
        payment=payment,
        parts=parts_of(_paid(row) for row in rows),
        before=before,
        after=after,
        credited_at=rows[0].posted_at if rows else None,
        reversal=reversal,
    )


async def _around(
    conn: AsyncConnection, account_id: int, rows: Sequence[Row[Any]]
) -> tuple[dict[str, int], dict[str, int]]:
    """What lay in each bucket before and after these postings."""
    if not rows:
        return {}, {}
    return (
        await explanations.values_before(conn, account_id, rows[0].seq),
        await explanations.values_before(conn, account_id, rows[-1].seq + 1),
    )


def _paid(row: Row[Any]) -> Paid:
    return Paid(
        bucket=row.bucket,
        kind=row.kind,
        amount_micro=row.amount_micro,
        after_micro=row.after_micro,
        item=row.item_no,
        label=row.label or "",
        tax_micro=row.tax_micro or 0,
    )
