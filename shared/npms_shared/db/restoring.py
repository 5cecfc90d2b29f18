"""A database restored to an earlier state hands out nothing that it has handed out before."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

SKIPPED = 100_000

_SEQUENCES = text(
    """
    SELECT count(setval(format('%I.%I', schemaname, sequencename)::regclass,
                        coalesce(last_value, start_value) + :skipped))
    FROM pg_sequences WHERE schemaname = 'public'
    """
)
_EPOCHS = text("UPDATE partition_epoch SET epoch = epoch + :skipped")


async def skip_numbers(conn: AsyncConnection, skipped: int = SKIPPED) -> None:
    """Let all ids and partition epochs go on so far beyond what is known here that none is one
    that was given out after the backup, and that others know by. As the owner.
    """
    await conn.execute(_SEQUENCES, {"skipped": skipped})
    await conn.execute(_EPOCHS, {"skipped": skipped})
