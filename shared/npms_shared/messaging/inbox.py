"""A fact is heard once: rule 2."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HEAR = text(
    """
    WITH heard AS (
        INSERT INTO inbox (message_id, queue)
        SELECT * FROM unnest(CAST(:message_ids AS uuid[]), CAST(:queues AS text[]))
        ON CONFLICT DO NOTHING
        RETURNING message_id, queue
    ), settled AS (
        -- Parked once, and applied now: by its replay, or since it was delivered again.
        UPDATE parked_message p
        SET state = CASE p.state WHEN 'replaying' THEN 'replayed' ELSE 'applied' END,
            settled_at = now()
        FROM heard h
        WHERE (p.message_id, p.queue) = (h.message_id, h.queue)
          AND p.state IN ('parked', 'replaying')
    )
    SELECT message_id FROM heard
    """
)
_PROVE = text(
    """
    INSERT INTO inbox (message_id, queue) VALUES (:message_id, :queue)
    ON CONFLICT DO NOTHING RETURNING message_id
    """
)
_FORGET = text("DELETE FROM inbox WHERE message_id = :message_id AND queue = :queue")


async def hear(conn: AsyncConnection, queue: str, message_id: UUID) -> bool:
    """Note a message as heard by `queue`; False when it was before."""
    return bool(await hear_all(conn, [(queue, message_id)]))


async def hear_all(conn: AsyncConnection, messages: Sequence[tuple[str, UUID]]) -> set[UUID]:
    """Note messages as heard, each by its queue; returns those that are new."""
    queues, message_ids = zip(*messages, strict=True)
    rows = await conn.execute(_HEAR, {"message_ids": list(message_ids), "queues": list(queues)})
    return set(rows.scalars())


async def is_unheard(conn: AsyncConnection, queue: str, message_id: UUID) -> bool:
    """Whether nobody heard it; waits for who is hearing it now, and makes who comes wait for us."""
    values = {"message_id": message_id, "queue": queue}
    unheard = (await conn.execute(_PROVE, values)).first() is not None
    if unheard:
        await conn.execute(_FORGET, values)
    return unheard
