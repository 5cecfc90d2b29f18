"""A state change and the events that tell of it commit together: rule 1."""

from datetime import datetime
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
    return await _put(
        conn,
        event,
        exchange=events_exchange(event.publisher),
        routing_key=event.name,
        subject=subject,
    )


async def publish_batch(conn: AsyncConnection, batch: Batch, *, partition: int) -> UUID:
    """Say a partition's batch when the transaction commits; returns its message id."""
    return await _put(
        conn,
        batch,
        exchange=STAGE_OF[type(batch)].exchange,
        routing_key=str(partition),
        subject=f"partition/{partition}",
    )


async def _put(
    conn: AsyncConnection, event: Event, *, exchange: str, routing_key: str, subject: str
) -> UUID:
    message_id = new_id()
    time: datetime = wall_now()
    await conn.execute(
        _INSERT,
        {
            "message_id": message_id,
            "exchange": exchange,
            "routing_key": routing_key,
            "type": event.event_type(),
            "source": f"/npms/{event.publisher}",
            "subject": subject,
            "time": time,
            "traceparent": trace.current.get(),
            "body": event.model_dump_json().encode(),
        },
    )
    return message_id
