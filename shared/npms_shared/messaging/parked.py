"""Messages that could not be applied: kept with the reason, shown, replayed or dropped."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any, Literal
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.clock import wall_now
from npms_shared.db import audit_trail
from npms_shared.ids import new_id
from npms_shared.messaging import inbox
from npms_shared.messaging.envelope import attempt_of, headers_of, meta_of, storable
from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.messaging.topology import requeue_exchange, service_of
from npms_shared.messaging.users import SAID_BY

Settled = Literal["replaying", "replayed", "already_applied"]


@dataclass(frozen=True, slots=True)
class ParkedSummary:
    """A message that waits for a decision, without what it says."""

    id: UUID
    message_id: UUID | None
    queue: str
    type: str
    code: str
    reason: str
    attempts: int
    parked_at: datetime
    state: str


@dataclass(frozen=True, slots=True)
class ParkedMessage(ParkedSummary):
    headers: dict[str, Any]
    body: bytes


Reappliers = Mapping[str, Callable[[ParkedMessage], Awaitable[None]]]
"""How messages that did not come by the broker are applied again, by their queue. Each raises
Unprocessable where its message still cannot be applied, which then stays parked.
"""
BROKER_ONLY: Reappliers = MappingProxyType({})


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
_SUMMARY = "id, message_id, queue, type, code, reason, attempts, parked_at, state"
_LIST = text(
    f"""
    SELECT {_SUMMARY} FROM parked_message
    WHERE state IN ('parked', 'replaying')
      AND (CAST(:parked_at AS timestamptz) IS NULL OR (parked_at, id) > (:parked_at, :id))
    ORDER BY parked_at, id LIMIT :limit
    """  # noqa: S608
)
_GET = f"SELECT {_SUMMARY}, headers, body FROM parked_message WHERE id = :id"  # noqa: S608
_SHOW = text(_GET)
_LOCK = text(f"{_GET} AND state IN ('parked', 'replaying') FOR UPDATE")
_ACTIONS = {
    "replaying": "parked_message_replayed",
    "replayed": "parked_message_replayed",
    "applied": "parked_message_found_applied",
    "dropped": "parked_message_dropped",
}
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


async def list_parked(
    conn: AsyncConnection, *, limit: int = 100, after: tuple[datetime, UUID] | None = None
) -> list[ParkedSummary]:
    """What waits for a decision, or for its replay to be applied: the oldest first; `after` one,
    given by `parked_at` and `id`.
    """
    parked_at, parked_id = after or (None, None)
    values = {"limit": limit, "parked_at": parked_at, "id": parked_id}
    return [ParkedSummary(**row._mapping) for row in await conn.execute(_LIST, values)]


async def get_parked(conn: AsyncConnection, parked_id: UUID) -> ParkedMessage:
    """Everything of one, body and headers included, also after it was settled. Raises NotParked."""
    row = (await conn.execute(_SHOW, {"id": parked_id})).first()
    if row is None:
        raise NotParked(parked_id)
    return ParkedMessage(**row._mapping)


async def replay(
    conn: AsyncConnection,
    parked_id: UUID,
    *,
    by: Actor,
    reason: str,
    reappliers: Reappliers = BROKER_ONLY,
) -> Settled:
    """Send it to its queue again, under its own id; it is `replaying` until it was applied there.

    `already_applied` when it was, in which case nothing is sent. May be called again while it is
    replaying: what is delivered twice is heard once. Raises NotParked, and what its reapplier does.
    """
    message = await _lock(conn, parked_id)
    if message.queue in reappliers:
        await _settle(conn, parked_id, state="replayed", by=by, reason=reason)
        await reappliers[message.queue](message)
        return "replayed"
    if await _was_applied(conn, message):
        await _settle(conn, parked_id, state="applied", by=by, reason=reason)
        return "already_applied"
    await _settle(conn, parked_id, state="replaying", by=by, reason=reason)
    await conn.execute(_REPLAY, _sent_again(message))
    return "replaying"


async def _was_applied(conn: AsyncConnection, message: ParkedMessage) -> bool:
    if message.message_id is None:
        return False
    return not await inbox.is_unheard(conn, message.queue, message.message_id)


async def _lock(conn: AsyncConnection, parked_id: UUID) -> ParkedMessage:
    row = (await conn.execute(_LOCK, {"id": parked_id})).first()
    if row is None:
        raise NotParked(parked_id)
    return ParkedMessage(**row._mapping)


def _sent_again(message: ParkedMessage) -> dict[str, Any]:
    headers = message.headers
    return {
        "message_id": message.message_id,
        "exchange": requeue_exchange(service_of(message.queue)),
        "queue": message.queue,
        "type": message.type,
        "source": str(headers.get("cloudEvents_source", "")),
        "subject": str(headers.get("cloudEvents_subject", "")),
        "time": wall_now(),
        "traceparent": headers.get("traceparent"),
        "headers": json.dumps({k: v for k, v in headers.items() if k == SAID_BY}),
        "body": message.body,
    }


async def drop(conn: AsyncConnection, parked_id: UUID, *, by: Actor, reason: str) -> None:
    """Give it up, for a reason that stays on record. Raises NotParked, also while it is replaying,
    since then it may be applied.
    """
    await _settle(conn, parked_id, state="dropped", by=by, reason=reason)


async def _settle(
    conn: AsyncConnection, parked_id: UUID, *, state: str, by: Actor, reason: str
) -> None:
    now = wall_now()
    values = {"id": parked_id, "state": state, "by": by.subject, "reason": reason, "at": now}
    if (await conn.execute(_SETTLE, values)).first() is None:
        raise NotParked(parked_id)
    await audit_trail.note(
        conn,
        by,
        _ACTIONS[state],
        subject=f"parked_message:{parked_id}",
        now=now,
        reason=reason,
        after={"state": state},
    )
