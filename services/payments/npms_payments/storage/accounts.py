"""Accounts, as told by the ledger."""

from datetime import datetime

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import Account
from npms_payments.storage.tables import account

_OPEN = text(
    """
    INSERT INTO account (account_id, customer_id, currency, opened_at)
    VALUES (:account_id, :customer_id, :currency, :opened_at)
    ON CONFLICT (account_id) DO UPDATE
    SET customer_id = excluded.customer_id, currency = excluded.currency,
        opened_at = excluded.opened_at
    """
)
_CLOSE = text(
    """
    INSERT INTO account (account_id, closed_at) VALUES (:account_id, :closed_at)
    ON CONFLICT (account_id) DO UPDATE SET closed_at = excluded.closed_at
    """
)


async def save_opened(
    conn: AsyncConnection,
    *,
    account_id: int,
    customer_id: int,
    currency: str,
    opened_at: datetime,
) -> None:
    await conn.execute(
        _OPEN,
        {
            "account_id": account_id,
            "customer_id": customer_id,
            "currency": currency,
            "opened_at": opened_at,
        },
    )


async def save_closed(conn: AsyncConnection, *, account_id: int, closed_at: datetime) -> None:
    """Note the closing, also where it is heard before the opening."""
    await conn.execute(_CLOSE, {"account_id": account_id, "closed_at": closed_at})


async def find(conn: AsyncConnection, account_id: int) -> Account | None:
    row = (await conn.execute(select(account).where(account.c.account_id == account_id))).first()
    return Account(**row._mapping) if row else None
