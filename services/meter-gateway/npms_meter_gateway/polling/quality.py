"""Hands over, every few seconds, what the lines have counted."""

import asyncio
from collections.abc import Callable, Iterable

import structlog

from npms_meter_gateway.domain.quality import LineQuality, line_quality
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.note_quality import note_quality
from npms_meter_gateway.polling.transactions import in_transaction
from npms_shared.db.engine import is_passing

EVERY_S = 10.0

log = structlog.get_logger()


async def keep_quality(
    context: Context,
    buses: Callable[[], Iterable[Bus]],
    *,
    every_s: float = EVERY_S,
) -> None:
    """Until cancelled; what could not be written is lost, it is no more than a count."""
    while True:
        await asyncio.sleep(every_s)
        try:
            busy = [found for bus in buses() if (found := _quality(bus)).asked]
            if busy:
                await in_transaction(context, note_quality, busy)
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
