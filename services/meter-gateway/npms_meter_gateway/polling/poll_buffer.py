"""Collects what polls bring and hands it over in batches: a single sight at once, many together."""

import asyncio
from collections.abc import Sequence

import structlog

from npms_meter_gateway.handlers.note_sights import MeterSight, note_sights
from npms_meter_gateway.handlers.record_readings import ReadingRecorder, Readings
from npms_meter_gateway.polling.transactions import in_transaction
from npms_shared.db.engine import is_passing

BATCH = 1000
WAITING = 20_000
BACK_OFF_S = 0.5
BREATH_S = 0.2
"""From one write to the next: thousands of meters cost five transactions a second, not hundreds."""

log = structlog.get_logger()


class PollBuffer:
    """While the database is away polls wait here, then at their meters; nothing is dropped."""

    def __init__(self, recorder: ReadingRecorder) -> None:
        self._recorder, self._context = recorder, recorder.context
        self._waiting: asyncio.Queue[MeterSight] = asyncio.Queue(WAITING)
        self._batch: list[MeterSight] = []

    async def put(self, sight: MeterSight) -> None:
        await self._waiting.put(sight)

    async def run(self) -> None:
        """Write until cancelled, beginning with the batch it was writing when it was last."""
        loop = asyncio.get_running_loop()
        while True:
            if not self._batch:
                self._batch = [await self._waiting.get(), *self._ready(BATCH - 1)]
            began = loop.time()
            await self._write_surely(self._batch)
            self._batch = []
            await asyncio.sleep(began + BREATH_S - loop.time())

    async def flush(self) -> None:
        """Write the batch begun and what waits."""
        while sights := self._batch or self._ready(BATCH):
            await self._write(sights)
            self._batch = []

    def _ready(self, limit: int) -> list[MeterSight]:
        return [self._waiting.get_nowait() for _ in range(min(limit, self._waiting.qsize()))]

    async def _write_surely(self, sights: Sequence[MeterSight]) -> None:
        while True:
            try:
                await self._write(sights)
            except Exception as fault:
                if not is_passing(fault):
                    log.exception("sights_failed", count=len(sights))
                    return
                log.warning("database_away", fault=repr(fault))
                await asyncio.sleep(BACK_OFF_S)
            else:
                return

    async def _write(self, sights: Sequence[MeterSight]) -> None:
        rows = [
            (sight.installation_id, int(sight.seen_at.timestamp()), register_wh)
            for sight in sights
            if (register_wh := sight.answer.register_wh) is not None
        ]
        if rows:
            ids, at_s, registers = (list(column) for column in zip(*rows, strict=True))
            await self._recorder.record_readings(Readings(ids, at_s, registers), source="poll")
        await in_transaction(self._context, note_sights, sights)
