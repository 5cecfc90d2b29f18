"""Messages that could not be applied: kept with the reason, shown, replayed or dropped."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.clock import wall_now
from npms_shared.ids import new_id
from npms_shared.messaging import inbox
from npms_shared.messaging.envelope import attempt_of, headers_of, meta_of, storable
from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.messaging.topology import requeue_exchange, service_of
from npms_shared.messaging.users import SAID_BY

Elsewhere = Mapping[str, Callable[[Row[Any]], Awaitable[None]]]
"""How messages that came another way than the broker's are applied again, by their queue: given
the parked row; raises Unprocessable where it still cannot be applied, and it stays parked.
"""
Settled = Literal["replaying", "replayed", "already_applied"]
NOWHERE: Elsewhere = MappingProxyType({})


class NotParked(LookupError):
    """No message of this id is parked (it may have been replayed or dropped)."""

    def __init__(self, parked_id: UUID) -> None:
        super().__init__(f"no parked message {parked_id}")
        self.parked_id = parked_id


_PARK = text(
    """
    INSERT INTO parked_message (id, message_id, queue, type, headers, body, code, reason,
                                attempts, parked_at)
    VALUES (:id, :message_id, :queue, :type, CAST(:headers AS jsonb), :body, :code, :reason,
            :attempts, :parked_at)
    ON CONFLICT (message_id, queue) WHERE state IN ('parked', 'replaying') DO UPDATE
    SET state = 'parked', code = excluded.code, reason = excluded.reason,
        attempts = excluded.attempts, settled_by = NULL, settled_reason = NULL, settled_at = NULL
    """
)
_LIST = text(
    """
    SELECT id, message_id, queue, type, code, reason, attempts, parked_at, state
    FROM parked_message WHERE state IN ('parked', 'replaying') ORDER BY parked_at, id LIMIT :limit
    """
)
_LOCK = text(
    """
    SELECT message_id, queue, type, headers, body FROM parked_message
    WHERE id = :id AND state IN ('parked', 'replaying') FOR UPDATE
    """
)
_SETTLE = text(
    """
    UPDATE parked_message
    SET state = :state, settled_by = :by, settled_reason = :reason, settled_at = :at
    WHERE id = :id AND (state = 'parked' OR (state = 'replaying' AND :state <> 'dropped'))
    RETURNING id
    """
)
_REPLAY = text(
    """
    INSERT INTO outbox (message_id, exchange, routing_key, type, source, subject, time,
                        traceparent, headers, body)
    VALUES (:message_id, :exchange, :queue, :type, :source, :subject, :time, :traceparent,
            CAST(:headers AS jsonb), :body)
    """
)


async def park(
    conn: AsyncConnection, queue: str, message: AbstractIncomingMessage, fault: Unprocessable
) -> bool:
    """Keep the message as it came, with why; once, however often it fails.

    False, and nothing is kept, when it was applied meanwhile by somebody else.
    """
    meta = meta_of(message)
    if not await inbox.is_unheard(conn, queue, meta.message_id):
        return False
    await conn.execute(
        _PARK,
        {
            "id": new_id(),
            "message_id": meta.message_id,
            "queue": queue,
            "type": storable(meta.type),
            "headers": json.dumps(headers_of(message)),
            "body": message.body,
            "code": fault.code,
            "reason": storable(fault.detail)[:2000],
            "attempts": attempt_of(message) + 1,
            "parked_at": wall_now(),
        },
    )
    return True


async def list_parked(conn: AsyncConnection, *, limit: int = 100) -> Sequence[Row[Any]]:
    """What waits for a decision, or for its replay to be applied: the oldest first, no bodies."""
    return (await conn.execute(_LIST, {"limit": limit})).all()


async def show(conn: AsyncConnection, parked_id: UUID) -> Row[Any]:
    """Everything of one, body and headers included. Raises NotParked."""
    query = text("SELECT * FROM parked_message WHERE id = :id")
    row = (await conn.execute(query, {"id": parked_id})).first()
    if row is None:
        raise NotParked(parked_id)
    return row


async def replay(
    conn: AsyncConnection,
    parked_id: UUID,
    *,
    by: str,
    reason: str,
    elsewhere: Elsewhere = NOWHERE,
) -> Settled:
    """Send it to its queue again, under its own id; it is `replaying` until it was applied there.

    `already_applied` when it was, in which case nothing is sent. May be called again while it is
    replaying: what is delivered twice is heard once. Raises NotParked, and what `elsewhere` raises.
    """
    row = (await conn.execute(_LOCK, {"id": parked_id})).first()
    if row is None:
        raise NotParked(parked_id)
    if row.queue in elsewhere:
        await _settle(conn, parked_id, state="replayed", by=by, reason=reason)
        await elsewhere[row.queue](row)
        return "replayed"
    if not await inbox.is_unheard(conn, row.queue, row.message_id):
        await _settle(conn, parked_id, state="applied", by=by, reason=reason)
        return "already_applied"
    await _settle(conn, parked_id, state="replaying", by=by, reason=reason)
    await conn.execute(_REPLAY, _again(row))
    return "replaying"


def _again(row: Row[Any]) -> dict[str, Any]:
    headers = row.headers
    return {
        "message_id": row.message_id,
        "exchange": requeue_exchange(service_of(row.queue)),
        "queue": row.queue,
        "type": row.type,
        "source": str(headers.get("cloudEvents_source", "")),
        "subject": str(headers.get("cloudEvents_subject", "")),
        "time": wall_now(),
        "traceparent": headers.get("traceparent"),
        "headers": json.dumps({k: v for k, v in headers.items() if k == SAID_BY}),
        "body": row.body,
    }


async def drop(conn: AsyncConnection, parked_id: UUID, *, by: str, reason: str) -> None:
    """Give it up, for a reason that stays on record. Raises NotParked, also while it is replaying,
    since then it may be applied.
    """
    await _settle(conn, parked_id, state="dropped", by=by, reason=reason)


async def _settle(
    conn: AsyncConnection, parked_id: UUID, *, state: str, by: str, reason: str
) -> None:
    values = {"id": parked_id, "state": state, "by": by, "reason": reason, "at": wall_now()}
    if (await conn.execute(_SETTLE, values)).first() is None:
        raise NotParked(parked_id)
