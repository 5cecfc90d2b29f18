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
_LIMITS = text(
    """
    INSERT INTO account AS a (account_id, vend_min_micro, vend_max_micro, max_balance_micro,
                              limits_at)
    VALUES (:account_id, :minimum_micro, :maximum_micro, :max_balance_micro, :set_at)
    ON CONFLICT (account_id) DO UPDATE
    SET vend_min_micro = excluded.vend_min_micro, vend_max_micro = excluded.vend_max_micro,
        max_balance_micro = excluded.max_balance_micro, limits_at = excluded.limits_at
    WHERE a.limits_at IS NULL OR a.limits_at <= excluded.limits_at
    """
)
_BALANCE = text(
    """
    UPDATE account SET balance_micro = :balance_micro, balance_at = :at
    WHERE account_id = :account_id AND (balance_at IS NULL OR balance_at <= :at)
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


async def save_limits(
    conn: AsyncConnection,
    *,
    account_id: int,
    minimum_micro: int | None,
    maximum_micro: int | None,
    max_balance_micro: int | None,
    set_at: datetime,
) -> None:
    """The newest word counts, also where it is heard before the opening."""
    await conn.execute(
        _LIMITS,
        {
            "account_id": account_id,
            "minimum_micro": minimum_micro,
            "maximum_micro": maximum_micro,
            "max_balance_micro": max_balance_micro,
            "set_at": set_at,
        },
    )


async def save_balance(
    conn: AsyncConnection, *, account_id: int, balance_micro: int, at: datetime
) -> None:
    """What the ledger said that the balance was; an older word changes nothing."""
    await conn.execute(
        _BALANCE, {"account_id": account_id, "balance_micro": balance_micro, "at": at}
    )


async def find(conn: AsyncConnection, account_id: int) -> Account | None:
    row = (await conn.execute(select(account).where(account.c.account_id == account_id))).first()
    return Account(**row._mapping) if row else None
