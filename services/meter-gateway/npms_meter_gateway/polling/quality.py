"""Hands over, every few seconds, what the lines have counted."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from npms_meter_gateway.domain.quality import LineQuality, line_quality
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.handlers.note_quality import note_quality
from npms_shared.clock import Clock
from npms_shared.db.engine import Database, is_passing

EVERY_S = 10.0

log = structlog.get_logger()


async def keep_quality(
    database: Database,
    clock: Clock,
    buses: Callable[[], Iterable[Bus]],
    *,
    every_s: float = EVERY_S,
) -> None:
    """Until cancelled; what could not be written is lost, it is no more than a count."""
    while True:
        await asyncio.sleep(every_s)
        try:
            await note_quality(database, clock, [_quality(bus) for bus in buses()])
        except Exception as fault:
            if not is_passing(fault):
                raise
            log.warning("database_away", fault=repr(fault))


def _quality(bus: Bus) -> LineQuality:
    taken = bus.counts.take()
    return line_quality(
        bus.gateway.gateway_id,
        asked=taken.asked,
        answered=taken.answered,
        faults=taken.faults,
        busy_s=taken.busy_s,
    )
