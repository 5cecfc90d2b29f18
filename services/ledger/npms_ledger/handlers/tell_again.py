"""Everything that others know of accounts from here, in an order in which it can be heard."""

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import books
from npms_ledger.handlers.vend_limits import limits_set
from npms_ledger.storage import facts
from npms_shared.clock import Clock
from npms_shared.contracts.base import Event
from npms_shared.contracts.ledger import (
    AccountClosed,
    AccountOpened,
    InstallationClosed,
    InstallationOpened,
    MeterConnection,
    SupplyDesired,
)
from npms_shared.messaging.telling import Fact, Facts

AT_ONCE = 200


def facts_of(clock: Clock) -> Facts:
    """Accounts, installations, supplies, limits. All are states: a time changes nothing."""

    async def tell(conn: AsyncConnection, _since: datetime | None) -> AsyncIterator[Fact]:
        async for row in facts.accounts(conn):
            for event in _account(row):
                yield event, str(row.account_id)
        async for row in facts.installations(conn):
            yield _closed(row) if row.is_closing else _opened(row), str(row.account_id)
        async for row in facts.supplies(conn):
            yield SupplyDesired.model_validate(dict(row._mapping)), str(row.account_id)
        async for fact in _limits(conn, clock):
            yield fact

    return tell


def _account(row: Row[Any]) -> list[Event]:
    told: list[Event] = [AccountOpened.model_validate(dict(row._mapping))]
    if row.closed_at is not None:
        told.append(AccountClosed(account_id=row.account_id, closed_at=row.closed_at))
    return told


def _opened(row: Row[Any]) -> InstallationOpened:
    meter = MeterConnection.model_validate(dict(row._mapping))
    return InstallationOpened.model_validate({**row._mapping, "meter": meter})


def _closed(row: Row[Any]) -> InstallationClosed:
    return InstallationClosed.model_validate(dict(row._mapping))


async def _limits(conn: AsyncConnection, clock: Clock) -> AsyncIterator[Fact]:
    account_ids = await facts.limited(conn)
    for start in range(0, len(account_ids), AT_ONCE):
        found = await books.take_locked(conn, account_ids[start : start + AT_ONCE])
        for account in found.values():
            yield limits_set(account, clock.now()), str(account.account_id)


async def go_on(conn: AsyncConnection, skipped: int) -> None:
    """Nobody waits for a revision that this database has forgotten."""
    await facts.skip_revisions(conn, skipped)
