"""Meters, for people to look at."""

from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.storage import installations


async def show_meter(conn: AsyncConnection, installation_id: int) -> Row[Any] | None:
    """None where there is no such installation."""
    return await installations.show_meter(conn, installation_id)
