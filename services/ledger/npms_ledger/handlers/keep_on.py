"""A person keeps a supply on for a time, whatever the credit, and may take that back."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.errors import AccountIsClosed, NotInFuture, NotKeptOn
from npms_ledger.storage import keep_ons
from npms_shared.ids import new_id


async def keep_on(
    conn: AsyncConnection, account_id: int, *, until: datetime, reason: str, now: datetime, by: str
) -> Account:
    """Override automation until then; a later word replaces an earlier one.

    Raises AccountUnknown, AccountIsClosed, NotInFuture.
    """
    if until <= now:
        raise NotInFuture("until", until)
    account = await _take_open(conn, account_id)
    await keep_ons.lift(conn, account_id, by=by, now=now)
    await keep_ons.place(
        conn, new_id(), account_id=account_id, until=until, reason=reason, by=by, now=now
    )
    account.keep_on(until, now)
    await _put_back(conn, account, now=now, by=by)
    return account


async def let_go(conn: AsyncConnection, account_id: int, *, now: datetime, by: str) -> Account:
    """Leave the supply to automation again. Raises AccountUnknown, AccountIsClosed, NotKeptOn."""
    account = await _take_open(conn, account_id)
    if account.position.keep_on_until is None:
        raise NotKeptOn(account_id)
    await keep_ons.lift(conn, account_id, by=by, now=now)
    account.keep_on(None, now)
    await _put_back(conn, account, now=now, by=by)
    return account


async def list_keep_ons(
    conn: AsyncConnection, account_id: int, *, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """Every keep-on that was ever placed, newest first."""
    return await keep_ons.of_account(conn, account_id, before=before, limit=limit)


async def _put_back(conn: AsyncConnection, account: Account, *, now: datetime, by: str) -> None:
    cause = Cause("person", subject=by)
    await books.put_back_one(conn, account, kind="emergency_credit", now=now, cause=cause)


async def _take_open(conn: AsyncConnection, account_id: int) -> Account:
    account = await books.take(conn, account_id)
    if account.position.closed:
        raise AccountIsClosed(account_id)
    return account
