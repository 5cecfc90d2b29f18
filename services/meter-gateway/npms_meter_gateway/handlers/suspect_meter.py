"""Whether the meter that answers is the one installed: until a person knows, nothing is charged."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.tracks import take_track
from npms_meter_gateway.storage import reckonings
from npms_shared.clock import Clock


async def suspect_meter(
    conn: AsyncConnection, clock: Clock, installation_id: int, *, detail: str
) -> bool:
    """From here on its readings are held as `foreign_meter`, whoever reads them.

    False where they were before. It ends with `trust_meter`, or when an operator releases the
    first of those readings.
    """
    await take_track(conn, installation_id, {})
    return await reckonings.suspect(conn, installation_id, detail=detail, since=clock.now())


async def trust_meter(conn: AsyncConnection, installation_id: int) -> bool:
    """Its next readings are judged like any other; False where it was not under suspicion."""
    await take_track(conn, installation_id, {})
    return await reckonings.clear(conn, installation_id)
