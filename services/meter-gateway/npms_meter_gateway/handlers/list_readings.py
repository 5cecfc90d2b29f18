"""Accepted readings, each beside what its meter showed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row

from npms_meter_gateway.handlers.change_ratio import UnknownMeter
from npms_meter_gateway.storage import readings
from npms_shared.db.engine import Database


async def list_readings(
    database: Database,
    installation_id: int,
    *,
    begin: datetime,
    end: datetime,
    after_s: int,
    limit: int,
) -> Sequence[tuple[Row[Any], int]]:
    """Those of [begin, end) after `after_s`, with their raw registers in Wh, in the order of their
    time. Raises UnknownMeter.
    """
    async with database.connect() as conn:
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
