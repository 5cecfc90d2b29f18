"""Five databases, each seen as it was at one moment: read-only, repeatable-read transactions."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import asyncpg

from npms_operations.audit.places import Places

Row = asyncpg.Record
FETCH_ROWS = 5000


class Snapshot:
    """One database as it was when the snapshot was taken."""

    def __init__(self, connection: "asyncpg.Connection[Row]") -> None:
        self._connection = connection

    async def rows(self, query: str, *values: Any) -> Sequence[Row]:
        """A small answer, whole."""
        return await self._connection.fetch(query, *values)

    async def value(self, query: str, *values: Any) -> Any:
        return await self._connection.fetchval(query, *values)

    async def stream(self, query: str, *values: Any) -> AsyncIterator[Row]:
        """A large answer, a few thousand rows at a time."""
        async for row in self._connection.cursor(query, *values, prefetch=FETCH_ROWS):
            yield row


class Snapshots:
    """By service; taken one after the other, those that hear before those that say.

    So whatever a service had heard when it was looked at, its publisher has still
    on record when looked at in turn: only "not heard yet" can be seen, and that
    passes.
    """

    def __init__(self, snapshots: dict[str, Snapshot]) -> None:
        self.ledger = snapshots["ledger"]
        self.tariff = snapshots["tariff"]
        self.gateway = snapshots["meter-gateway"]
        self.payments = snapshots["payments"]
        self.notifier = snapshots["notifier"]


HEARERS_FIRST = ("notifier", "ledger", "payments", "tariff", "meter-gateway")


@asynccontextmanager
async def take_snapshots(places: Places) -> AsyncIterator[Snapshots]:
    """Raises OSError or asyncpg.PostgresError when a database cannot be read."""
    async with AsyncExitStack() as stack:
        taken = {}
        for service in HEARERS_FIRST:
            connection = await connect(places.databases[service])
            stack.push_async_callback(connection.close)
            await stack.enter_async_context(
                connection.transaction(isolation="repeatable_read", readonly=True)
            )
            await connection.execute("SELECT 1")
            taken[service] = Snapshot(connection)
        yield Snapshots(taken)


async def connect(url: str) -> "asyncpg.Connection[Row]":
    """Sums come as int: nothing here has a fraction."""
    settings = {"application_name": "npms-audit", "jit": "off", "work_mem": "64MB"}
    plain = url.replace("+asyncpg", "", 1)
    connection = await asyncpg.connect(plain, timeout=15, server_settings=settings)
    await connection.set_type_codec("numeric", encoder=str, decoder=int, schema="pg_catalog")
    return connection
