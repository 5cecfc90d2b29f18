"""Tells who watches a meter of every change: one query a second, however many watch."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from npms_meter_gateway.domain.meters import KnownMeter
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import installations
from npms_shared.db.engine import is_passing

ASK_EVERY_S = 1.0
MOST_WATCHERS = 500

log = structlog.get_logger()


class TooManyWatchers(Exception):
    """As many as this process serves are watching already."""


Newest = asyncio.Queue[KnownMeter]


class MeterWatch:
    """Watchers of meters by installation; the database is asked only while somebody watches, on a
    connection of its own for all of them.
    """

    def __init__(self, context: Context, *, ask_every_s: float = ASK_EVERY_S) -> None:
        self._database, self._ask_every_s = context.database, ask_every_s
        self._watchers: dict[int, set[Newest]] = {}
        self._known: dict[int, KnownMeter] = {}
        self._task: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def watch(self, installation_id: int) -> AsyncIterator[Newest]:
        """A queue that holds the newest state of the meter, once now and after each change.

        Raises TooManyWatchers.
        """
        if sum(map(len, self._watchers.values())) >= MOST_WATCHERS:
            raise TooManyWatchers
        newest: Newest = asyncio.Queue(1)
        self._watchers.setdefault(installation_id, set()).add(newest)
        if known := self._known.get(installation_id):
            newest.put_nowait(known)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="meter watch")
        try:
            yield newest
        finally:
            self._leave(installation_id, newest)

    def _leave(self, installation_id: int, newest: Newest) -> None:
        watchers = self._watchers[installation_id]
        watchers.discard(newest)
        if not watchers:
            del self._watchers[installation_id]
            self._known.pop(installation_id, None)

    async def _run(self) -> None:
        while self._watchers:
            try:
                await self._ask()
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
            await asyncio.sleep(self._ask_every_s)

    async def _ask(self) -> None:
        async with self._database.connect() as conn:
            meters = await installations.find_meters(conn, list(self._watchers))
        for meter in meters:
            if self._known.get(meter.installation_id) != meter:
                self._tell(meter)

    def _tell(self, meter: KnownMeter) -> None:
        watchers = self._watchers.get(meter.installation_id, ())
        if watchers:
            self._known[meter.installation_id] = meter
        for newest in watchers:
            if newest.full():
                newest.get_nowait()
            newest.put_nowait(meter)
