"""What people must look at because automation does not act."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    """
    INSERT INTO review_task (review_task_id, account_id, what, since, balance_micro,
                             amount_to_clear_micro)
    VALUES (:review_task_id, :account_id, :what, :now, :balance_micro, :amount_to_clear_micro)
    ON CONFLICT (account_id, what) WHERE done_at IS NULL DO NOTHING
    """
)
_TASKS = "SELECT t.*, a.currency FROM review_task t JOIN account a USING (account_id)"
_ONE = text(_TASKS + " WHERE t.review_task_id = :review_task_id")
_PAGE = text(
    _TASKS
    + """
    WHERE (CAST(:after AS uuid) IS NULL OR t.review_task_id > :after)
      AND (CAST(:done AS boolean) IS NULL OR :done = (t.done_at IS NOT NULL))
    ORDER BY t.review_task_id LIMIT :limit
    """
)
_DONE = text(
    """
    UPDATE review_task SET done_at = :now, done_by = :by, note = :note
    WHERE review_task_id = :review_task_id AND done_at IS NULL
    """
)


async def add(conn: AsyncConnection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Rows: review_task_id, account_id, what, balance_micro, amount_to_clear_micro. An account
    has one open task of a kind.
    """
    await conn.execute(_ADD, [{**row, "now": now} for row in rows])


async def one(conn: AsyncConnection, review_task_id: UUID) -> Row[Any] | None:
    return (await conn.execute(_ONE, {"review_task_id": review_task_id})).first()


async def page(
    conn: AsyncConnection, *, after: UUID | None, limit: int, done: bool | None
) -> Sequence[Row[Any]]:
    """Oldest first."""
    rows = await conn.execute(_PAGE, {"after": after, "limit": limit, "done": done})
    return rows.all()


async def finish(
    conn: AsyncConnection, review_task_id: UUID, *, by: str, note: str, now: datetime
) -> bool:
    """False where there is no such open task."""
    values = {"review_task_id": review_task_id, "by": by, "note": note, "now": now}
    return (await conn.execute(_DONE, values)).rowcount == 1
