"""Charges that the first top-up of a month pays: what of each month's has been paid."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_SAVE = text(
    """
    INSERT INTO vend_charge (account_id, month, name, amount_micro, tax_micro, taken_micro)
    VALUES (:account_id, :month, :name, :amount_micro, :tax_micro, :taken_micro)
    ON CONFLICT (account_id, month, name) DO UPDATE SET taken_micro = excluded.taken_micro
    """
)


async def save(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Rows: account_id, month (yyyymm), name, amount_micro, tax_micro, taken_micro."""
    if rows:
        await conn.execute(_SAVE, list(rows))
