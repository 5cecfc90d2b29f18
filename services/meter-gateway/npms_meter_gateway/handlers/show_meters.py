"""Meters and parked readings, for people to look at."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.storage import installations, readings


async def show_meter(conn: AsyncConnection, installation_id: int) -> Row[Any] | None:
    """None where there is no such installation."""
    return await installations.show_meter(conn, installation_id)


async def list_parked_readings(
    conn: AsyncConnection, *, installation_id: int | None, before: int, limit: int
) -> Sequence[Row[Any]]:
    """Readings that were not believed, the newest first."""
    return await readings.list_parked_readings(
        conn, installation_id=installation_id, before=before, limit=limit
    )
