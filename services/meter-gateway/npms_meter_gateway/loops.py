"""What the worker does by itself, besides speaking to meters and listening to MQTT."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.event_kinds import KINDS
from npms_meter_gateway.domain.fleet import total_of
from npms_meter_gateway.domain.validation import NOTHING_NEW, Verdict
from npms_meter_gateway.handlers.check_feeders import judge_days, list_feeders
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.list_alarms import count_alarms
from npms_meter_gateway.handlers.list_meters import list_sites
from npms_meter_gateway.handlers.publish_profiles import publish_profiles
from npms_meter_gateway.handlers.tend_held import AT_ONCE, forget_held, supersede_harmless
from npms_shared.db.engine import is_passing
from npms_shared.loops import Loop, wait_or_stop

FEEDERS_AT_ONCE = 100
STATES = (
    "reachable", "unreachable", "late", "switched_off", "off_against_desired", "on_against_desired",
)  # fmt: skip

log = structlog.get_logger()


def loops(context: Context) -> list[Loop]:
    """Each until its event is set."""
    return [
        partial(announce_profiles, context),
        every(15.0, partial(measure_fleet, context)),
        every(15.0, partial(tend_held, context)),
        every(30.0, partial(check_feeders, context)),
    ]


def every(seconds: float, work: Callable[[], Awaitable[object]]) -> Loop:
    """Again and again; a database that is away is waited for."""

    async def run(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            try:
                await work()
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
            await wait_or_stop(stopping, seconds)

    return run


async def announce_profiles(context: Context, stopping: asyncio.Event) -> None:
    """Once, at every start."""
    async with context.database.transaction() as conn:
        await publish_profiles(conn, context)
    await stopping.wait()


async def measure_fleet(context: Context) -> None:
    """Every worker sets the same gauges."""
    async with context.database.connect() as conn:
        total = total_of(await list_sites(conn, context))
        alarms = await count_alarms(conn)
    for state in STATES:
        metrics.METERS.labels(state=state).set(getattr(total, state))
    for kind in {*alarms, *(name for name, known in KINDS.items() if known.lasts)}:
        metrics.OPEN_ALARMS.labels(kind=kind).set(alarms.get(kind, 0))


async def tend_held(context: Context) -> None:
    """What became harmless in many transactions, so that none holds many rows for long."""
    closed = AT_ONCE
    while closed == AT_ONCE:
        async with context.database.transaction() as conn:
            closed = await supersede_harmless(conn, context)
    async with context.database.transaction() as conn:
        waiting = await forget_held(conn, context)
    for verdict in Verdict:
        if verdict not in NOTHING_NEW:
            metrics.HELD_READINGS.labels(reason=verdict.value).set(waiting.get(verdict.value, 0))


async def check_feeders(context: Context) -> int:
    """Put down every day that is over, each feeder's in a transaction; returns how many."""
    after, judged = 0, 0
    while True:
        async with context.database.connect() as conn:
            feeders = await list_feeders(conn, after=after, limit=FEEDERS_AT_ONCE)
        for feeder in feeders:
            async with context.database.transaction() as conn:
                judged += await judge_days(conn, context, feeder)
        if len(feeders) < FEEDERS_AT_ONCE:
            return judged
        after = feeders[-1].installation_id
