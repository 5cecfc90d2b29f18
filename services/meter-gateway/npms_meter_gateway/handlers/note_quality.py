"""Keeps what each line asked and was answered, by the hour, for a quarter of a year."""

from collections.abc import Sequence
from datetime import timedelta

from npms_meter_gateway.domain.quality import LineQuality
from npms_meter_gateway.storage import gateways
from npms_shared.clock import Clock
from npms_shared.db.engine import Database

KEPT = timedelta(days=90)


async def note_quality(database: Database, clock: Clock, qualities: Sequence[LineQuality]) -> None:
    """Lines are physical: their hours are real ones, also where the business clock is scaled."""
    busy = [quality for quality in qualities if quality.asked]
    if not busy:
        return
    now = clock.wall_now()
    async with database.transaction() as conn:
        await gateways.add_quality(conn, busy, now=now)
        await gateways.forget_quality(conn, before=now - KEPT)
