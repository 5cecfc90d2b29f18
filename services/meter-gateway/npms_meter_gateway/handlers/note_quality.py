"""Keeps what each line asked and was answered, by the hour, for a quarter of a year."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.quality import LineQuality
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import gateways

KEPT = timedelta(days=90)


async def note_quality(
    conn: AsyncConnection, context: Context, qualities: Sequence[LineQuality]
) -> None:
    """Lines are physical: their hours are real ones, also where the business clock is scaled."""
    now = context.clock.wall_now()
    await gateways.add_quality(conn, qualities, now=now)
    await gateways.forget_quality(conn, before=now - KEPT)
