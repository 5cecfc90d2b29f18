"""What the broker has no queue for: set aside, so that the rest goes on; retried or dropped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.clock import wall_now
from npms_shared.db import audit_trail
from npms_shared.ids import new_id

log = structlog.get_logger()


class NotSetAside(LookupError):
    """No message of this id is set aside (it may have been retried or dropped)."""

    def __init__(self, unroutable_id: UUID) -> None:
        super().__init__(f"no unroutable message {unroutable_id}")


@dataclass(frozen=True, slots=True)
class UnroutableSummary:
    """A message that was set aside, without what it says."""

    id: UUID
    outbox_id: int
    message_id: UUID
    exchange: str
    routing_key: str
    type: str
    subject: str
    reason: str
    set_aside_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class UnroutableMessage(UnroutableSummary):
    headers: dict[str, Any] | None
    body: bytes


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
_SUMMARY = (
    "id, outbox_id, message_id, exchange, routing_key, type, subject, reason, set_aside_at, state"
)
_LIST = text(
    f"""
    SELECT {_SUMMARY} FROM unroutable_message
    WHERE state = 'set_aside' AND outbox_id > :after ORDER BY outbox_id LIMIT :limit
    """  # noqa: S608
)
_SHOW = text(
    f"SELECT {_SUMMARY}, headers, body FROM unroutable_message WHERE id = :id"  # noqa: S608
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


async def list_set_aside(
    conn: AsyncConnection, *, limit: int = 100, after: int = 0
) -> list[UnroutableSummary]:
    """In the order in which they were said, from the one behind `after`, an `outbox_id`."""
    rows = await conn.execute(_LIST, {"limit": limit, "after": after})
    return [UnroutableSummary(**row._mapping) for row in rows]


async def get_unroutable(conn: AsyncConnection, unroutable_id: UUID) -> UnroutableMessage:
    """Everything of one, body and headers included. Raises NotSetAside."""
    row = (await conn.execute(_SHOW, {"id": unroutable_id})).first()
    if row is None:
        raise NotSetAside(unroutable_id)
    return UnroutableMessage(**row._mapping)


async def retry(conn: AsyncConnection, unroutable_id: UUID, *, by: Actor, reason: str) -> None:
    """Say it again, after what waits in the outbox. Raises NotSetAside."""
    await _settle(conn, unroutable_id, state="retried", by=by, reason=reason)
    await conn.execute(_SEND_AGAIN, {"id": unroutable_id})


async def retry_all(conn: AsyncConnection, *, by: Actor, reason: str, limit: int = 1000) -> int:
    """Say all again in the order in which they were said, `limit` at most; returns how many."""
    waiting = await list_set_aside(conn, limit=limit)
    for message in waiting:
        await retry(conn, message.id, by=by, reason=reason)
    return len(waiting)


async def drop(conn: AsyncConnection, unroutable_id: UUID, *, by: Actor, reason: str) -> None:
    """Give it up, for a reason that stays on record. Raises NotSetAside."""
    await _settle(conn, unroutable_id, state="dropped", by=by, reason=reason)


async def _settle(
    conn: AsyncConnection, unroutable_id: UUID, *, state: str, by: Actor, reason: str
) -> None:
    now = wall_now()
    values = {"id": unroutable_id, "state": state, "by": by.subject, "reason": reason, "at": now}
    if (await conn.execute(_SETTLE, values)).first() is None:
        raise NotSetAside(unroutable_id)
    await audit_trail.note(
        conn,
        by,
        f"unroutable_message_{state}",
        subject=f"unroutable_message:{unroutable_id}",
        now=now,
        reason=reason,
        after={"state": state},
    )
