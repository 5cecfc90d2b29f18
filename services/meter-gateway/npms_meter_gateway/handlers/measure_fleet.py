"""Sets the gauges of the fleet, every quarter of a minute; every worker sets the same."""

import asyncio

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.event_kinds import KINDS
from npms_meter_gateway.handlers.show_fleet import FleetView
from npms_shared.db.engine import is_passing
from npms_shared.loops import Loop, wait_or_stop

EVERY_S = 15.0
STATES = (
    "reachable", "unreachable", "late", "switched_off", "off_against_desired", "on_against_desired",
)  # fmt: skip

log = structlog.get_logger()


def fleet_gauges(view: FleetView, *, every_s: float = EVERY_S) -> Loop:
    """A loop for the worker."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await _measure(view)
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
            await wait_or_stop(stopping, every_s)

    return run


async def _measure(view: FleetView) -> None:
    sites = await view.sites()
    for state in STATES:
        metrics.METERS.labels(state=state).set(sum(getattr(site, state) for site in sites))
    alarms = await view.open_alarms()
    for kind in {*alarms, *(name for name, known in KINDS.items() if known.lasts)}:
        metrics.OPEN_ALARMS.labels(kind=kind).set(alarms.get(kind, 0))
