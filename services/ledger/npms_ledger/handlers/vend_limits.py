"""Payments must know what may be sold to an account before it takes money for it.

It is told at the opening, when the policy changes, and every hour while the policy has a most that
the balance may be: then what was used since leaves room again.
"""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.policy import VendLimits
from npms_ledger.handlers import books
from npms_ledger.storage import vend_limits
from npms_shared.clock import Clock
from npms_shared.contracts.ledger import VendLimitsSet
from npms_shared.db.engine import Database
from npms_shared.loops import Loop, wait_or_stop
from npms_shared.messaging import outbox

AGAIN = timedelta(hours=1)
BATCH = 200
PAUSE_S = 5.0


async def tell_limits(conn: AsyncConnection, accounts: Sequence[Account], now: datetime) -> None:
    """Say what may be sold to each of these; of no limit only where there was one."""
    if not accounts:
        return
    limited = {a.account_id for a in accounts if a.policy.vend != VendLimits()}
    freed = await vend_limits.forget(conn, {a.account_id for a in accounts} - limited)
    told = [one for one in accounts if one.account_id in limited | freed]
    await outbox.publish_all(
        conn, [(limits_set(account, now), str(account.account_id)) for account in told]
    )
    for again in (True, False):
        those = [
            one.account_id for one in told if one.account_id in limited and again == _has_most(one)
        ]
        await vend_limits.mark_told(conn, those, now, again=again)


def _has_most(account: Account) -> bool:
    return account.policy.vend.maximum_balance_micro is not None


async def tell_again(conn: AsyncConnection, now: datetime, limit: int = BATCH) -> int:
    """Tell of accounts last told of an hour ago; returns how many there were."""
    account_ids = await vend_limits.due(conn, before=now - AGAIN, limit=limit)
    if account_ids:
        found = await books.take_locked(conn, account_ids)
        await tell_limits(conn, list(found.values()), now)
    return len(account_ids)


def limits_loop(database: Database, clock: Clock) -> Loop:
    """Tell of what is due, batch after batch, and look again soon."""

    async def tell(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            async with database.transaction() as conn:
                told = await tell_again(conn, clock.now())
            if told < BATCH:
                await wait_or_stop(stopping, PAUSE_S)

    return tell


def limits_set(account: Account, now: datetime) -> VendLimitsSet:
    """What may be sold to an account, and its balance now."""
    limits = account.policy.vend
    return VendLimitsSet(
        account_id=account.account_id,
        currency=account.currency,
        minimum_micro=limits.minimum_micro,
        maximum_micro=limits.maximum_micro,
        max_balance_micro=limits.maximum_balance_micro,
        balance_micro=account.position.balance_micro,
        set_at=now,
    )
