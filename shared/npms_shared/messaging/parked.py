"""Messages that could not be applied: kept with the reason, shown, replayed or dropped."""

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any
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
    """
)
_COLUMNS = "id, message_id, queue, type, code, reason, attempts, parked_at, state"
_SETTLE = text(
    """
    UPDATE parked_message
    SET state = :state, settled_by = :by, settled_reason = :reason, settled_at = :at
    WHERE id = :id AND state = 'parked'
    RETURNING message_id, queue, type, headers, body
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
) -> UUID:
    """Keep the message as it came, with why; returns the parked id."""
    meta, parked_id = meta_of(message), new_id()
    await conn.execute(
        _PARK,
        {
            "id": parked_id,
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
    return parked_id


async def list_parked(
    conn: AsyncConnection, *, limit: int = 100, state: str = "parked"
) -> Sequence[Row[Any]]:
    """The oldest first, without bodies."""
    query = f"SELECT {_COLUMNS} FROM parked_message WHERE state = :state ORDER BY id LIMIT :limit"  # noqa: S608
    return (await conn.execute(text(query), {"state": state, "limit": limit})).all()


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
) -> None:
    """Send it to its queue again under its own id; the inbox forgets that it was heard."""
    row = await _settle(conn, parked_id, state="replayed", by=by, reason=reason)
    if row.queue in elsewhere:
        await elsewhere[row.queue](row)
        return
    await inbox.unhear(conn, row.queue, row.message_id)
    headers = row.headers
    await conn.execute(
        _REPLAY,
        {
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
        },
    )


async def drop(conn: AsyncConnection, parked_id: UUID, *, by: str, reason: str) -> None:
    """Give it up, for a reason that stays on record."""
    await _settle(conn, parked_id, state="dropped", by=by, reason=reason)


async def _settle(
    conn: AsyncConnection, parked_id: UUID, *, state: str, by: str, reason: str
) -> Row[Any]:
    values = {"id": parked_id, "state": state, "by": by, "reason": reason, "at": wall_now()}
    row = (await conn.execute(_SETTLE, values)).first()
    if row is None:
        raise NotParked(parked_id)
    return row
