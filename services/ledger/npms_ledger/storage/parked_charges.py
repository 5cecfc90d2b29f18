"""Charges that fit no account, kept with their reason."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.records import ParkedCharge

_INSERT = text(
    """
    INSERT INTO parked_charge (parked_charge_id, message_id, code, installation_id, account_id,
                               currency, charge, parked_at)
    VALUES (:parked_charge_id, :message_id, :code, :installation_id, :account_id,
            :currency, CAST(:charge AS jsonb), :now)
    """
)

_NEWEST = text(
    """
    SELECT parked_charge_id, message_id, code, installation_id, account_id, currency, charge,
           parked_at
    FROM parked_charge
    WHERE CAST(:before AS uuid) IS NULL OR parked_charge_id < :before
    ORDER BY parked_charge_id DESC LIMIT :limit
    """
)


async def insert(conn: AsyncConnection, rows: list[dict[str, Any]], now: datetime) -> None:
    """Rows: parked_charge_id, message_id, code, installation_id, account_id, currency, charge."""
    await conn.execute(_INSERT, [{**row, "now": now} for row in rows])


async def list_newest(
    conn: AsyncConnection, *, before: UUID | None, limit: int
) -> list[ParkedCharge]:
    """The newest first, parked before the one of id `before`."""
    rows = await conn.execute(_NEWEST, {"before": before, "limit": limit})
    return [ParkedCharge(**row._mapping) for row in rows]
