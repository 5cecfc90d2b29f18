"""Messages that came another way than the broker's, among the parked ones."""

import json
from datetime import datetime
from uuid import NAMESPACE_URL, uuid5

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.ids import new_id
from npms_shared.messaging.envelope import storable

_PARK = text(
    """
    INSERT INTO parked_message (id, message_id, queue, type, headers, body, code, reason,
                                attempts, parked_at)
    VALUES (:id, :message_id, :queue, :topic, CAST(:headers AS jsonb), :body, :code, :reason, 1,
            :now)
    ON CONFLICT (message_id, queue) WHERE state IN ('parked', 'replaying') DO NOTHING
    """
)


async def park(
    conn: AsyncConnection,
    *,
    queue: str,
    topic: str,
    body: bytes,
    code: str,
    reason: str,
    now: datetime,
) -> None:
    """Keep it as it came, unless the same topic and body are parked already."""
    message_id = uuid5(NAMESPACE_URL, f"{queue}:{topic}:{body.hex()}")
    await conn.execute(
        _PARK,
        {
            "id": new_id(),
            "message_id": message_id,
            "queue": queue,
            "topic": storable(topic),
            "headers": json.dumps({"topic": storable(topic)}),
            "body": body,
            "code": code,
            "reason": storable(reason)[:2000],
            "now": now,
        },
    )
