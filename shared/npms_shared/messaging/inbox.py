"""A fact is heard once: rule 2."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HEAR = text(
    """
    INSERT INTO inbox (message_id, queue)
    SELECT * FROM unnest(CAST(:message_ids AS uuid[]), CAST(:queues AS text[]))
    ON CONFLICT DO NOTHING
    RETURNING message_id
    """
)


async def hear(conn: AsyncConnection, queue: str, message_id: UUID) -> bool:
    """Note a message as heard by `queue`; False when it was before."""
    return bool(await hear_all(conn, [(queue, message_id)]))


async def hear_all(conn: AsyncConnection, messages: Sequence[tuple[str, UUID]]) -> set[UUID]:
    """Note messages as heard, each by its queue; returns those that are new."""
    queues, message_ids = zip(*messages, strict=True)
    rows = await conn.execute(_HEAR, {"message_ids": list(message_ids), "queues": list(queues)})
    return set(rows.scalars())


async def unhear(conn: AsyncConnection, queue: str, message_id: UUID) -> None:
    """Forget one, so that its replay is heard."""
    await conn.execute(
        text("DELETE FROM inbox WHERE message_id = :message_id AND queue = :queue"),
        {"message_id": message_id, "queue": queue},
    )
