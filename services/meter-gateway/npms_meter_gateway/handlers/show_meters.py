"""Meters and parked readings, for people to look at."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row

from npms_meter_gateway.storage import installations, readings
from npms_shared.db.engine import Database


async def list_meters(database: Database, *, after: int, limit: int) -> Sequence[Row[Any]]:
    """Installations with an id above `after`, in the order of their ids."""
    async with database.connect() as conn:
        return await installations.list_meters(conn, after=after, limit=limit)


async def show_meter(database: Database, installation_id: int) -> Row[Any] | None:
    async with database.connect() as conn:
        return await installations.show_meter(conn, installation_id)


async def list_parked_readings(
    database: Database, *, installation_id: int | None, before: int, limit: int
) -> Sequence[Row[Any]]:
    """Readings that were not believed, the newest first."""
    async with database.connect() as conn:
        return await readings.list_parked_readings(
            conn, installation_id=installation_id, before=before, limit=limit
        )
