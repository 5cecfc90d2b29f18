"""Decisions that time alone asks for: a friendly night that ends, a debt recovered by the week,
a grant that expires, a policy that changed.
"""

import asyncio
from datetime import datetime
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger import metrics
from npms_ledger.domain.account import Account
from npms_ledger.domain.position import PostingKind
from npms_ledger.domain.seal import DECISIONS_CHAIN
from npms_ledger.handlers import books
from npms_ledger.handlers.journals import Journal
from npms_ledger.handlers.vend_limits import tell_limits
from npms_ledger.storage import positions
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.loops import Loop, wait_or_stop

LOAN = "emergency_credit"
BATCH = 200
PAUSE_S = 0.4


async def decide_due(conn: AsyncConnection, clock: Clock, limit: int = BATCH) -> int:
    """Decide accounts whose time has come; returns how many there were, at most `limit`."""
    now = clock.now()
    due = await positions.take_due(conn, now, limit)
    if not due:
        return 0
    accounts = list((await books.take_locked(conn, due)).values())
    for account in accounts:
        account.judge(now)
    for kind, group in groupby(sorted(accounts, key=_journal_kind), key=_journal_kind):
        await _put_back(conn, list(group), kind=kind, now=now)
    await tell_limits(conn, [one for one in accounts if due[one.account_id]], now)
    metrics.DECISIONS_DUE.inc(len(accounts))
    return len(accounts)


async def _put_back(
    conn: AsyncConnection, accounts: list[Account], *, kind: str, now: datetime
) -> None:
    journal = Journal(kind=kind, posted_at=now, chain=DECISIONS_CHAIN)
    await books.put_back(conn, accounts, journal=journal, now=now)


def _journal_kind(account: Account) -> str:
    """What a decision's postings are called after: the first thing that time brought."""
    kinds = {entry.kind for _, entry in account.written}
    if PostingKind.DEBT_CHARGE in kinds:
        return "debt_charge"
    return "grant" if kinds & {PostingKind.GRANTED, PostingKind.GRANT_EXPIRED} else LOAN


def decision_loop(database: Database, clock: Clock) -> Loop:
    """Decide what is due, batch after batch, and look again soon."""

    async def decisions(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            async with database.transaction() as conn:
                decided = await decide_due(conn, clock)
            if decided < BATCH:
                await wait_or_stop(stopping, PAUSE_S)

    return decisions
