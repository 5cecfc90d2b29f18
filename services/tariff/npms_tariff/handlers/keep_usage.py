"""Hours are kept for some months; days and months, which hold the same sums, for ever."""

import asyncio
from datetime import UTC, date, datetime

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from npms_shared.clock import Clock
from npms_shared.db.engine import Database, is_passing
from npms_shared.loops import Loop, wait_or_stop
from npms_tariff import metrics
from npms_tariff.storage import partitions

MONTHS_AHEAD = 2
PAUSE_S = 600.0

log = structlog.get_logger()


def month_of(day: date, *, months: int = 0) -> date:
    """The first day of the month so many months after a day's."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


async def keep_usage(database: Database, *, today: date, months: int) -> int:
    """Partitions from the oldest month kept to two ahead; older hours go. Returns how many
    partitions went. Each is a transaction of its own, so that nobody waits for more than one.

    `months` are kept whole besides the current one.
    """
    oldest = month_of(today, months=-months)
    for ahead in range(-months, MONTHS_AHEAD + 1):
        async with database.transaction() as conn:
            await partitions.make_month(conn, month_of(today, months=ahead))
    async with database.transaction() as conn:
        dropped = await partitions.drop_months_before(conn, oldest)
        oldest_s = int(datetime(oldest.year, oldest.month, 1, tzinfo=UTC).timestamp())
        await partitions.delete_plan_hours_before(conn, oldest_s)
    return dropped


def retention_loop(database: Database, clock: Clock, *, months: int) -> Loop:
    """Every ten minutes; what cannot be done now is tried again then."""

    async def retain(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            await _try(database, clock.now().astimezone(UTC).date(), months)
            await wait_or_stop(stopping, PAUSE_S)

    return retain


async def _try(database: Database, today: date, months: int) -> None:
    try:
        dropped = await keep_usage(database, today=today, months=months)
    except IntegrityError as fault:
        metrics.HOURS_NOT_DROPPED.inc()
        log.error("hours_not_dropped", fault=str(fault.orig))
    except DBAPIError as fault:
        if not is_passing(fault):
            raise
        log.warning("usage_retention_waits", fault=str(fault.orig))
    else:
        if dropped:
            log.info("hours_dropped", months=dropped, kept_months=months)
