"""Accounts as payments need to know them: whose, in which currency, open or closed."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.errors import AccountIsClosed, AccountUnknown
from npms_payments.domain.records import Account
from npms_payments.storage import accounts


async def note_opened(
    conn: AsyncConnection,
    *,
    account_id: int,
    customer_id: int,
    currency: str,
    opened_at: datetime,
) -> None:
    await accounts.save_opened(
        conn,
        account_id=account_id,
        customer_id=customer_id,
        currency=currency,
        opened_at=opened_at,
    )


async def note_closed(conn: AsyncConnection, *, account_id: int, closed_at: datetime) -> None:
    await accounts.save_closed(conn, account_id=account_id, closed_at=closed_at)


async def note_limits(
    conn: AsyncConnection,
    *,
    account_id: int,
    minimum_micro: int | None,
    maximum_micro: int | None,
    max_balance_micro: int | None,
    balance_micro: int,
    set_at: datetime,
) -> None:
    await accounts.save_limits(
        conn,
        account_id=account_id,
        minimum_micro=minimum_micro,
        maximum_micro=maximum_micro,
        max_balance_micro=max_balance_micro,
        set_at=set_at,
    )
    await accounts.save_balance(conn, account_id=account_id, balance_micro=balance_micro, at=set_at)


async def find_account(conn: AsyncConnection, account_id: int) -> Account:
    """The account, open or closed; raises AccountUnknown while its opening was not heard."""
    found = await accounts.find(conn, account_id)
    if found is None or found.opened_at is None:
        raise AccountUnknown(account_id)
    return found


async def find_open_account(conn: AsyncConnection, account_id: int) -> tuple[Account, str]:
    """The account that may be paid into, and its currency."""
    found = await find_account(conn, account_id)
    if not found.open or found.currency is None:
        raise AccountIsClosed(account_id)
    return found, found.currency
