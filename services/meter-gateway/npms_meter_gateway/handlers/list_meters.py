"""Meters and sites, for people to look at.

A meter is late when nothing of it was seen for three intervals (business seconds).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.fleet import Site
from npms_meter_gateway.domain.meters import KnownMeter, MeterFilter, UnknownMeter
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import gateways, installations

LATE_AFTER_INTERVALS = 3


def late_before(context: Context) -> datetime:
    """What was not seen since then is late."""
    return context.clock.now() - timedelta(seconds=context.poll_interval_s * LATE_AFTER_INTERVALS)


async def get_meter(conn: AsyncConnection, installation_id: int) -> KnownMeter:
    """Raises UnknownMeter."""
    meter = await installations.find_meter(conn, installation_id)
    if meter is None:
        raise UnknownMeter
    return meter


async def list_meters(
    conn: AsyncConnection, context: Context, wanted: MeterFilter, *, after: int, limit: int
) -> Sequence[KnownMeter]:
    """Installations with an id above `after`, in the order of their ids."""
    return await installations.list_meters(
        conn, wanted, late_before=late_before(context), after=after, limit=limit
    )


async def list_sites(conn: AsyncConnection, context: Context) -> list[Site]:
    """Every site with counts of its gateways and meters."""
    return await gateways.count_by_site(conn, late_before=late_before(context))
