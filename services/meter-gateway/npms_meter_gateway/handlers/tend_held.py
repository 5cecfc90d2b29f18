"""Held readings as time goes by: superseded once harmless, counted, and dropped when old."""

import asyncio
from datetime import timedelta

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.held import HARMLESS_LATER
from npms_meter_gateway.domain.validation import NOTHING_NEW, Verdict
from npms_meter_gateway.storage import held
from npms_shared.clock import Clock
from npms_shared.db.engine import Database, is_passing
from npms_shared.loops import wait_or_stop

EVERY_S = 15.0
AT_ONCE = 1000
WHY = "a later reading has counted its energy"

log = structlog.get_logger()


async def supersede_harmless(database: Database, clock: Clock) -> int:
    """Close what a later accepted reading has made harmless; returns how many."""
    async with database.transaction() as conn:
        found = await held.find_harmless(conn, reasons=HARMLESS_LATER, limit=AT_ONCE)
        await held.decide(
            conn,
            [(held_id, None) for held_id in found],
            decision="superseded",
            by=None,
            reason=WHY,
            at=clock.now(),
        )
    return len(found)


async def tend_held(database: Database, clock: Clock, *, kept_days: int) -> None:
    """One round. Nothing is dropped with `kept_days` of 0."""
    while await supersede_harmless(database, clock) == AT_ONCE:
        pass
    async with database.transaction() as conn:
        if kept_days:
            await held.forget(conn, before=clock.now() - timedelta(days=kept_days))
        counts = await held.count_open(conn)
    for verdict in Verdict:
        if verdict not in NOTHING_NEW:
            metrics.HELD_READINGS.labels(reason=verdict.value).set(counts.get(verdict.value, 0))


async def keep_tending(
    database: Database, clock: Clock, stopping: asyncio.Event, *, kept_days: int
) -> None:
    """A round every quarter of a minute until told to stop; a database that is away is waited
    for."""
    while not stopping.is_set():
        try:
            await tend_held(database, clock, kept_days=kept_days)
        except Exception as fault:
            if not is_passing(fault):
                raise
            log.warning("database_away", fault=repr(fault))
        await wait_or_stop(stopping, EVERY_S)
