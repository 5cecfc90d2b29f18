"""Who would be cut in the next hours, under the policy in force or another; changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.foresight import ForeseenCut, Use, foresee, under
from npms_ledger.domain.policy import CreditPolicy
from npms_ledger.handlers import books
from npms_ledger.storage import dry_runs

LOOK_BACK = timedelta(days=7)
MOST_CHARGES = 1_000
LEAST_S = 3_600
"""Use measured over less than an hour is taken as an hour's."""
CHUNK = 200
MOST_LOOKED_AT = 2_000
ASSUMPTION = (
    "each account goes on being charged evenly at the rate of its charges of the last 7 days "
    "(at most 1000 of them); nobody tops up"
)


@dataclass(frozen=True, slots=True)
class Question:
    """From `now` to `until`; of one policy's accounts, or all with None; `policy` instead of
    theirs.
    """

    now: datetime
    until: datetime
    policy_code: str | None = None
    policy: CreditPolicy | None = None


@dataclass(slots=True)
class Foreseen:
    """`cuts` with each account and its use; `next_after` is where to go on, None at the end."""

    cuts: list[tuple[Account, Use, ForeseenCut]] = field(default_factory=list)
    looked_at: int = 0
    next_after: int | None = None


async def foresee_cuts(
    conn: AsyncConnection, question: Question, *, after: int, limit: int
) -> Foreseen:
    """By account, from `after` on. A page ends at `limit` cuts or after a bounded look, so that one
    with few cuts, or none, may have another behind it.
    """
    found = Foreseen()
    while found.looked_at < MOST_LOOKED_AT:
        rows = await dry_runs.supplied(
            conn, after=after, limit=CHUNK, policy_code=question.policy_code
        )
        for row, account, use in await _with_use(conn, rows, question):
            found.looked_at += 1
            after = row.account_id
            cut = foresee(account, use, now=question.now, until=question.until)
            if cut is not None:
                found.cuts.append((account, use, cut))
            if len(found.cuts) == limit:
                found.next_after = after
                return found
        if len(rows) < CHUNK:
            return found
    found.next_after = after
    return found


async def _with_use(
    conn: AsyncConnection, rows: Sequence[Row[Any]], question: Question
) -> list[tuple[Row[Any], Account, Use]]:
    account_ids = [row.account_id for row in rows]
    accounts = await books.take_locked(conn, account_ids)
    used = await dry_runs.used(conn, account_ids, since=question.now - LOOK_BACK, most=MOST_CHARGES)
    return [
        (row, _asked(accounts[row.account_id], row, question), _use(used.get(row.account_id)))
        for row in rows
    ]


def _asked(account: Account, row: Row[Any], question: Question) -> Account:
    if question.policy is None:
        return account
    return replace(
        under(account, question.policy, can_limit=row.can_limit),
        policy_version=account.policy_version + 1,
    )


def _use(used: tuple[int, int] | None) -> Use:
    amount_micro, seconds = used or (0, 0)
    return Use(amount_micro, max(seconds, LEAST_S))
