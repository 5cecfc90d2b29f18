"""Tasks for people: who would be cut but is protected."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.handlers import books
from npms_ledger.handlers.errors import TaskDone, TaskUnknown
from npms_ledger.storage import review_tasks

Task = tuple[Row[Any], Account]
"""The task, and its account as it is now (only to look at)."""


async def list_tasks(
    conn: AsyncConnection, *, after: UUID | None, limit: int, done: bool | None
) -> list[Task]:
    """Oldest first; open ones with False, done ones with True, all with None."""
    return await _with_accounts(
        conn, await review_tasks.page(conn, after=after, limit=limit, done=done)
    )


async def finish_task(
    conn: AsyncConnection, review_task_id: UUID, *, note: str, now: datetime, by: str
) -> Task:
    """What a person made of it. Raises TaskUnknown, TaskDone."""
    finished = await review_tasks.finish(conn, review_task_id, by=by, note=note, now=now)
    row = await review_tasks.one(conn, review_task_id)
    if row is None:
        raise TaskUnknown(review_task_id)
    if not finished:
        raise TaskDone(review_task_id, row.done_by)
    (task,) = await _with_accounts(conn, [row])
    return task


async def _with_accounts(conn: AsyncConnection, rows: Sequence[Row[Any]]) -> list[Task]:
    accounts = await books.take_locked(conn, {row.account_id for row in rows})
    return [(row, accounts[row.account_id]) for row in rows]
