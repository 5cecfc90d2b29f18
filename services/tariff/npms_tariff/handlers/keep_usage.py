"""Hours are kept for some months; days and months, which hold the same sums, for ever."""

import asyncio
from datetime import UTC, date, datetime

import structlog
from sqlalchemy.exc import DBAPIError, IntegrityError

from npms_shared.db.engine import is_passing
from npms_shared.loops import wait_or_stop
from npms_tariff import metrics
from npms_tariff.handlers.context import Context
from npms_tariff.storage import partitions

MONTHS_AHEAD = 2
PAUSE_S = 600.0

log = structlog.get_logger()


def month_of(day: date, *, months: int = 0) -> date:
    """The first day of the month so many months after a day's."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, 1)


async def keep_usage(context: Context) -> int:
    """Partitions from the oldest month kept to two ahead; older hours go. Returns how many
    partitions went.

    `hours_kept_months` are kept whole besides the current one. Each partition is a transaction of
    its own, so that nobody waits for more than one. Raises IntegrityError where days do not hold
    what the hours to be dropped do.
    """
    today, months = context.clock.now().astimezone(UTC).date(), context.hours_kept_months
    database = context.database
    oldest = month_of(today, months=-months)
    for ahead in range(-months, MONTHS_AHEAD + 1):
        async with database.transaction() as conn:
            await partitions.make_month(conn, month_of(today, months=ahead))
    async with database.transaction() as conn:
        dropped = await partitions.drop_months_before(conn, oldest)
        oldest_s = int(datetime(oldest.year, oldest.month, 1, tzinfo=UTC).timestamp())
        await partitions.delete_plan_hours_before(conn, oldest_s)
    return dropped


async def keep_usage_forever(context: Context, stopping: asyncio.Event) -> None:
    """Every ten minutes; what cannot be done now is tried again then."""
    while not stopping.is_set():
        await _try(context)
        await wait_or_stop(stopping, PAUSE_S)


async def _try(context: Context) -> None:
    try:
        dropped = await keep_usage(context)
    except IntegrityError as fault:
        metrics.HOURS_NOT_DROPPED.inc()
        log.error("hours_not_dropped", fault=str(fault.orig))
    except DBAPIError as fault:
        if not is_passing(fault):
            raise
        log.warning("usage_retention_waits", fault=str(fault.orig))
    else:
        if dropped:
            log.info("hours_dropped", months=dropped, kept_months=context.hours_kept_months)
