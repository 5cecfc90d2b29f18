"""One process of the service speaks to the meters; the others stand by."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.storage import leases
from npms_shared.db.engine import Database

LOOK_EVERY_S = 1.0


class Lease:
    """A lock that lives as long as the database session that took it."""

    def __init__(self, conn: AsyncConnection) -> None:
        self._conn = conn

    async def take(self) -> bool:
        """Whether it is ours; False while another process has it."""
        return await leases.take(self._conn)

    async def hold(self) -> None:
        """Return never; raise when the session, and so the lock, is gone."""
        while True:
            await leases.ping(self._conn)
            await asyncio.sleep(LOOK_EVERY_S)


@asynccontextmanager
async def lease(database: Database) -> AsyncIterator[Lease]:
    """A lease not yet taken; given back, with its session, at the end."""
    async with database.engine.connect() as conn:
        await conn.execution_options(isolation_level="AUTOCOMMIT")
        try:
            yield Lease(conn)
        finally:
            await conn.invalidate()
