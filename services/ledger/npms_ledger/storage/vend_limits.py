"""When payments was last told of an account whose balance has a most."""

from collections.abc import Collection
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays

_TOLD = text(
    f"""
    INSERT INTO vend_limits_told (account_id, told_at, again)
    SELECT account_id, :now, :again FROM unnest({arrays("account_ids")}) AS t (account_id)
    ON CONFLICT (account_id) DO UPDATE SET told_at = excluded.told_at, again = excluded.again
    """  # noqa: S608
)
_NO_MORE = text(
    f"DELETE FROM vend_limits_told WHERE account_id = ANY({arrays('account_ids')}) "  # noqa: S608
    "RETURNING account_id"
)
_DUE = text(
    """
    SELECT account_id FROM vend_limits_told WHERE again AND told_at <= :before
    ORDER BY told_at LIMIT :limit FOR UPDATE SKIP LOCKED
    """
)


async def mark_told(
    conn: AsyncConnection, account_ids: Collection[int], now: datetime, *, again: bool
) -> None:
    """Limits of these were told; `again` those whose balance must be told from time to time."""
    if account_ids:
        values = {"account_ids": array(account_ids), "now": now, "again": again}
        await conn.execute(_TOLD, values)


async def forget(conn: AsyncConnection, account_ids: Collection[int]) -> set[int]:
    """These have no limits any more; returns those of which some had been told."""
    freed = await conn.execute(_NO_MORE, {"account_ids": array(account_ids)})
    return set(freed.scalars())


async def due(conn: AsyncConnection, *, before: datetime, limit: int) -> list[int]:
    """Accounts last told of before then, locked."""
    found = await conn.execute(_DUE, {"before": before, "limit": limit})
    return list(found.scalars())
