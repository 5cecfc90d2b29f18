"""What each correction, provisional charge and settlement was for; added to, never changed."""

from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_INSERT = text(
    """
    INSERT INTO adjustment (adjustment_id, account_id, seq, journal_id, installation_id, kind,
        plan_version_id, from_at, to_at, energy_wh, amount_micro, tax_micro, lines, reason, told_at)
    VALUES (:adjustment_id, :account_id, :seq, :journal_id, :installation_id, :kind,
        :plan_version_id, to_timestamp(:from_s), to_timestamp(:to_s), :energy_wh, :amount_micro,
        :tax_micro, :lines, :reason, :told_at)
    """
)


async def is_known(conn: AsyncConnection, adjustment_id: UUID) -> bool:
    """Whether it was posted before; the caller holds its account."""
    rows = await conn.execute(
        text("SELECT 1 FROM adjustment WHERE adjustment_id = :id"), {"id": adjustment_id}
    )
    return rows.first() is not None


async def insert(conn: AsyncConnection, row: dict[str, Any], *, journal_id: UUID) -> None:
    """Row: the event's fields, `seq` of its posting (None where it moved nothing), `lines` text."""
    await conn.execute(_INSERT, {**row, "journal_id": journal_id})
