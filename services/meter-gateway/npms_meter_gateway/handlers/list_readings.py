"""Accepted readings, each beside what its meter showed."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.meters import AcceptedReading, UnknownMeter
from npms_meter_gateway.storage import readings


async def list_readings(
    conn: AsyncConnection,
    installation_id: int,
    *,
    begin: datetime,
    end: datetime,
    after_s: int,
    limit: int,
) -> Sequence[AcceptedReading]:
    """Those of [begin, end) after `after_s`, in the order of their time. Raises UnknownMeter."""
    if not await readings.is_known(conn, installation_id):
        raise UnknownMeter
    return await readings.list_readings(
        conn,
        installation_id,
        from_s=int(begin.timestamp()),
        to_s=int(end.timestamp()),
        after_s=after_s,
        limit=limit,
    )
