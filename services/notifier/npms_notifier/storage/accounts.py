"""Accounts as the ledger told of them."""

from dataclasses import asdict
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.records import Account

_INSERT = text(
    """
    INSERT INTO account (account_id, customer_id, customer_name, currency, time_zone, language,
                         opened_at, closed_at)
    VALUES (:account_id, :customer_id, :customer_name, :currency, :time_zone, :language,
            :opened_at, :closed_at)
    ON CONFLICT (account_id) DO NOTHING
    RETURNING account_id
    """
)
_SELECT = """
    SELECT account_id, customer_id, customer_name, currency, time_zone, language,
           opened_at, closed_at
    FROM account WHERE account_id = :account_id
    """
_FIND, _LOCK = text(_SELECT), text(_SELECT + " FOR UPDATE")
_CLOSE = text(
    "UPDATE account SET closed_at = :at WHERE account_id = :account_id RETURNING account_id"
)
_SET_LANGUAGE = text("UPDATE account SET language = :language WHERE account_id = :account_id")


async def add(conn: AsyncConnection, account: Account) -> bool:
    """Whether the account is new."""
    return (await conn.execute(_INSERT, asdict(account))).first() is not None


async def find(
    conn: AsyncConnection, account_id: int, *, for_update: bool = False
) -> Account | None:
    query = _LOCK if for_update else _FIND
    row = (await conn.execute(query, {"account_id": account_id})).first()
    return Account(**row._mapping) if row else None


async def close(conn: AsyncConnection, account_id: int, *, at: datetime) -> bool:
    """Whether there was such an account."""
    return (await conn.execute(_CLOSE, {"account_id": account_id, "at": at})).first() is not None


async def set_language(conn: AsyncConnection, account_id: int, *, language: str) -> None:
    await conn.execute(_SET_LANGUAGE, {"account_id": account_id, "language": language})
