"""One process listens; the others stand by. Two would take the broker's session from each other."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.storage import listening
from npms_shared.db.engine import Database

ASK_EVERY_S = 1.0


class Turn:
    """A lock that lives as long as the database session that took it."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def take(self) -> bool:
        """Whether it is ours; False while another process has it."""
        return await listening.take(self._conn)

    async def hold(self) -> None:
        """Return never; raise when the session, and so the lock, is gone."""
        while True:
            await listening.ping(self._conn)
            await asyncio.sleep(ASK_EVERY_S)


@asynccontextmanager
async def turn(database: Database) -> AsyncIterator[Turn]:
    """A turn not yet taken; given back, with its session, at the end."""
    async with database.engine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield Turn(conn)
        finally:
            await conn.invalidate()
