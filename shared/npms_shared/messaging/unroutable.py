"""What the broker has no queue for: set aside, so that the rest goes on; retried or dropped."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.clock import wall_now
from npms_shared.ids import new_id

log = structlog.get_logger()


class NotSetAside(LookupError):
    """No message of this id is set aside (it may have been retried or dropped)."""

    def __init__(self, unroutable_id: UUID) -> None:
        super().__init__(f"no unroutable message {unroutable_id}")


_PARK_AGAIN = text(
    """
    UPDATE parked_message
    SET state = 'parked', code = 'unroutable', reason = :reason,
        settled_by = NULL, settled_reason = NULL, settled_at = NULL
    WHERE message_id = :message_id AND queue = :queue AND state = 'replaying' RETURNING id
    """
)
_COLUMNS = (
    "message_id, exchange, routing_key, type, source, subject, time, traceparent, headers, body"
)
_SET_ASIDE = text(
    f"""
    INSERT INTO unroutable_message (id, outbox_id, {_COLUMNS}, reason, set_aside_at)
    SELECT :id, id, {_COLUMNS}, :reason, :at FROM outbox WHERE id = :outbox_id
    """  # noqa: S608
)
_LIST = text(
    """
    SELECT id, message_id, exchange, routing_key, type, subject, reason, set_aside_at, state
    FROM unroutable_message WHERE state = 'set_aside' ORDER BY outbox_id LIMIT :limit
    """
)
_SETTLE = text(
    """
    UPDATE unroutable_message
    SET state = :state, settled_by = :by, settled_reason = :reason, settled_at = :at
    WHERE id = :id AND state = 'set_aside' RETURNING id
    """
)
_SEND_AGAIN = text(
    f"""
    INSERT INTO outbox ({_COLUMNS})
    SELECT {_COLUMNS} FROM unroutable_message WHERE id = :id
    """  # noqa: S608
)


async def set_aside(conn: AsyncConnection, lost: Sequence[tuple[Row[Any], str]]) -> None:
    """Keep rows of the outbox, each with the reason; who calls takes them from there.

    A replay goes back to being parked.
    """
    for row, reason in lost:
        place = {"message_id": row.message_id, "queue": row.routing_key, "reason": reason}
        if (await conn.execute(_PARK_AGAIN, place)).first() is None:
            values = {"id": new_id(), "outbox_id": row.id, "reason": reason, "at": wall_now()}
            await conn.execute(_SET_ASIDE, values)
        log.error("message_unroutable", type=row.type, reason=reason)


async def list_set_aside(conn: AsyncConnection, *, limit: int = 100) -> Sequence[Row[Any]]:
    """In the order in which they were said, without bodies."""
    return (await conn.execute(_LIST, {"limit": limit})).all()


async def show(conn: AsyncConnection, unroutable_id: UUID) -> Row[Any]:
    """Everything of one, body and headers included. Raises NotSetAside."""
    query = text("SELECT * FROM unroutable_message WHERE id = :id")
    row = (await conn.execute(query, {"id": unroutable_id})).first()
    if row is None:
        raise NotSetAside(unroutable_id)
    return row


async def retry(conn: AsyncConnection, unroutable_id: UUID, *, by: str, reason: str) -> None:
    """Say it again, after what waits in the outbox. Raises NotSetAside."""
    await _settle(conn, unroutable_id, state="retried", by=by, reason=reason)
    await conn.execute(_SEND_AGAIN, {"id": unroutable_id})


async def retry_all(conn: AsyncConnection, *, by: str, reason: str, limit: int = 1000) -> int:
    """Say all again in the order in which they were said, `limit` at most; returns how many."""
    rows = await list_set_aside(conn, limit=limit)
    for row in rows:
        await retry(conn, row.id, by=by, reason=reason)
    return len(rows)


async def drop(conn: AsyncConnection, unroutable_id: UUID, *, by: str, reason: str) -> None:
    """Give it up, for a reason that stays on record. Raises NotSetAside."""
    await _settle(conn, unroutable_id, state="dropped", by=by, reason=reason)


async def _settle(
    conn: AsyncConnection, unroutable_id: UUID, *, state: str, by: str, reason: str
) -> None:
    values = {"id": unroutable_id, "state": state, "by": by, "reason": reason, "at": wall_now()}
    if (await conn.execute(_SETTLE, values)).first() is None:
        raise NotSetAside(unroutable_id)
