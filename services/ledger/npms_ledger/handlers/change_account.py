"""What people do to an open account: accept emergency credit, protect it, close it."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.close_installations import close_all
from npms_ledger.handlers.errors import AccountIsClosed, NotInFuture
from npms_ledger.storage import installations
from npms_shared.contracts.ledger import AccountClosed
from npms_shared.messaging import outbox


async def accept_emergency(
    conn: AsyncConnection, account_id: int, now: datetime, *, by: str | None = None
) -> Account:
    """Raises AccountUnknown, AccountIsClosed, EmergencyNotOffered, EmergencyTooSmall."""
    account = await _take_open(conn, account_id)
    account.accept_emergency(now)
    cause = Cause("person", subject=by)
    await books.put_back_one(conn, account, kind="emergency_credit", now=now, cause=cause)
    return account


async def protect_account(
    conn: AsyncConnection,
    account_id: int,
    *,
    protected: bool,
    until: datetime | None = None,
    now: datetime,
    by: str,
) -> Account:
    """Never cut this customer, until `until` or for good; or no longer never.

    Raises AccountUnknown, AccountIsClosed, NotInFuture.
    """
    if until is not None and until <= now:
        raise NotInFuture("until", until)
    account = await _take_open(conn, account_id)
    account.protect(protected=protected, until=until, now=now)
    cause = Cause("person", subject=by)
    await books.put_back_one(conn, account, kind="emergency_credit", now=now, cause=cause)
    return account


async def close_account(
    conn: AsyncConnection, account_id: int, now: datetime, *, by: str | None = None
) -> Account:
    """Switch off for good; what is left on the balance stays owed.

    Raises AccountUnknown, AccountIsClosed.
    """
    account = await _take_open(conn, account_id)
    account.close(now)
    cause = Cause("person", subject=by)
    await books.put_back_one(conn, account, kind="closing", now=now, cause=cause)
    await close_all(conn, account_id, {}, now)
    await installations.mark_closed(conn, account_id, now)
    event = AccountClosed(account_id=account_id, closed_at=now)
    await outbox.publish(conn, event, subject=str(account_id))
    return account


async def _take_open(conn: AsyncConnection, account_id: int) -> Account:
    account = await books.take(conn, account_id)
    if account.position.closed:
        raise AccountIsClosed(account_id)
    return account
