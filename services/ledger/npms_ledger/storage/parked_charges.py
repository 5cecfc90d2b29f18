"""Charges that fit no account, kept with their reason."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERT = text(
    """
    INSERT INTO parked_charge (parked_charge_id, message_id, code, installation_id, account_id,
                               currency, charge, parked_at)
    VALUES (:parked_charge_id, :message_id, :code, :installation_id, :account_id,
            :currency, CAST(:charge AS jsonb), :now)
    """
)


async def insert(conn: AsyncConnection, rows: list[dict[str, Any]], now: datetime) -> None:
    """Rows: parked_charge_id, message_id, code, installation_id, account_id, currency, charge."""
    await conn.execute(_INSERT, [{**row, "now": now} for row in rows])


async def newest(conn: AsyncConnection, limit: int) -> Sequence[Row[Any]]:
    rows = await conn.execute(
        text("SELECT * FROM parked_charge ORDER BY parked_charge_id DESC LIMIT :limit"),
        {"limit": limit},
    )
    return rows.all()
