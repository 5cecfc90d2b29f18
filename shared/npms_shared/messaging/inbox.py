"""A fact is heard once: rule 2."""

from collections.abc import Sequence
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_HEAR = text(
    """
    INSERT INTO inbox (message_id, queue)
    SELECT unnest(CAST(:message_ids AS uuid[])), :queue
    ON CONFLICT DO NOTHING
    RETURNING message_id
    """
)


async def hear(conn: AsyncConnection, queue: str, message_ids: Sequence[UUID]) -> set[UUID]:
    """Note the messages as heard by `queue`; returns those that are new to it."""
    rows = await conn.execute(_HEAR, {"message_ids": list(message_ids), "queue": queue})
    return set(rows.scalars())


async def unhear(conn: AsyncConnection, queue: str, message_id: UUID) -> None:
    """Forget one, so that its replay is heard."""
    await conn.execute(
        text("DELETE FROM inbox WHERE message_id = :message_id AND queue = :queue"),
        {"message_id": message_id, "queue": queue},
    )
