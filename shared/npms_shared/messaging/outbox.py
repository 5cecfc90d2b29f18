"""A state change and the events that tell of it commit together: rule 1."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.clock import wall_now
from npms_shared.contracts.base import Batch, Event
from npms_shared.ids import new_id
from npms_shared.messaging import trace
from npms_shared.messaging.topology import STAGE_OF, events_exchange

_INSERT = text(
    """
    INSERT INTO outbox (message_id, exchange, routing_key, type, source, subject, time,
                        traceparent, body)
    VALUES (:message_id, :exchange, :routing_key, :type, :source, :subject, :time,
            :traceparent, :body)
    """
)


async def publish(conn: AsyncConnection, event: Event, *, subject: str) -> UUID:
    """Say a single event when the transaction commits; returns its message id.

    `subject` is whom it is about, as text: an account's or installation's id.
    """
    row = _row(event, events_exchange(event.publisher), event.name, subject)
    await conn.execute(_INSERT, row)
    message_id: UUID = row["message_id"]
    return message_id


async def publish_all(conn: AsyncConnection, events: Sequence[tuple[Event, str]]) -> None:
    """Say many events, each with its subject, when the transaction commits; in one statement."""
    rows = [_row(e, events_exchange(e.publisher), e.name, subject) for e, subject in events]
    if rows:
        await conn.execute(_INSERT, rows)


async def publish_batches(conn: AsyncConnection, batches: Sequence[tuple[int, Batch]]) -> None:
    """Say batches, each with its partition, when the transaction commits; in one statement."""
    rows = [
        _row(batch, STAGE_OF[type(batch)].exchange, str(partition), f"partition/{partition}")
        for partition, batch in batches
    ]
    if rows:
        await conn.execute(_INSERT, rows)


def _row(event: Event, exchange: str, routing_key: str, subject: str) -> dict[str, Any]:
    return {
        "message_id": new_id(),
        "exchange": exchange,
        "routing_key": routing_key,
        "type": event.event_type(),
        "source": f"/npms/{event.publisher}",
        "subject": subject,
        "time": wall_now(),
        "traceparent": trace.current.get(),
        "body": event.model_dump_json().encode(),
    }
