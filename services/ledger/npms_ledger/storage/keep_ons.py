"""When people kept a supply on, and why."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_PLACE = text(
    """
    INSERT INTO keep_on (keep_on_id, account_id, until, reason, placed_by, placed_at)
    VALUES (:keep_on_id, :account_id, :until, :reason, :by, :now)
    """
)
_LIFT = text(
    """
    UPDATE keep_on SET lifted_by = :by, lifted_at = :now
    WHERE account_id = :account_id AND lifted_at IS NULL AND until > :now
    """
)
_IN_FORCE = text(
    """
    SELECT DISTINCT ON (account_id) * FROM keep_on
    WHERE account_id = ANY(CAST(:account_ids AS bigint[])) AND lifted_at IS NULL
    ORDER BY account_id, placed_at DESC, keep_on_id DESC
    """
)
_OF_ACCOUNT = text(
    """
    SELECT * FROM keep_on WHERE account_id = :account_id
      AND (CAST(:before AS uuid) IS NULL OR keep_on_id < :before)
    ORDER BY keep_on_id DESC LIMIT :limit
    """
)


async def place(
    conn: AsyncConnection,
    keep_on_id: UUID,
    *,
    account_id: int,
    until: datetime,
    reason: str,
    by: str,
    now: datetime,
) -> None:
    await conn.execute(
        _PLACE,
        {
            "keep_on_id": keep_on_id,
            "account_id": account_id,
            "until": until,
            "reason": reason,
            "by": by,
            "now": now,
        },
    )


async def lift(conn: AsyncConnection, account_id: int, *, by: str, now: datetime) -> None:
    """End what is in force; what has run out stays as it is."""
    await conn.execute(_LIFT, {"account_id": account_id, "by": by, "now": now})


async def last_of(conn: AsyncConnection, account_ids: Collection[int]) -> dict[int, Row[Any]]:
    """The last keep-on of each account that was not lifted; it may have run out."""
    rows = await conn.execute(_IN_FORCE, {"account_ids": list(account_ids)})
    return {row.account_id: row for row in rows}


async def of_account(
    conn: AsyncConnection, account_id: int, *, before: UUID | None, limit: int
) -> Sequence[Row[Any]]:
    """All that were ever placed, newest first."""
    rows = await conn.execute(
        _OF_ACCOUNT, {"account_id": account_id, "before": before, "limit": limit}
    )
    return rows.all()
