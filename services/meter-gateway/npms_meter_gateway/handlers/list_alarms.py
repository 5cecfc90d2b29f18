"""What was raised of meters, and what of it is open."""

from collections.abc import Mapping, Sequence
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.alarms import AlarmFilter, MeterEvent, OpenAlarm
from npms_meter_gateway.domain.meters import UnknownMeter
from npms_meter_gateway.storage import alarms, events, readings


async def list_alarms(
    conn: AsyncConnection, wanted: AlarmFilter, *, before: UUID | None, limit: int
) -> Sequence[OpenAlarm]:
    """The newest first."""
    return await alarms.list_alarms(conn, wanted, before=before, limit=limit)


async def count_alarms(conn: AsyncConnection) -> Mapping[str, int]:
    """How many alarms are open, by kind."""
    return await alarms.count_open(conn)


async def list_meter_events(
    conn: AsyncConnection, installation_id: int, *, before: UUID | None, limit: int
) -> Sequence[MeterEvent]:
    """The newest first. Raises UnknownMeter."""
    if not await readings.is_known(conn, installation_id):
        raise UnknownMeter
    return await events.list_events(conn, installation_id, before=before, limit=limit)
