"""What was raised of meters, and what of it is open."""

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from sqlalchemy import Row

from npms_meter_gateway.storage import alarms, events, readings
from npms_shared.db.engine import Database


class AlarmView:
    """Reads only."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def open_alarms(
        self,
        *,
        kind: str | None,
        installation_id: int | None,
        gateway_id: int | None,
        before: UUID | None,
        limit: int,
    ) -> Sequence[Row[Any]]:
        """The newest first."""
        async with self._database.connect() as conn:
            return await alarms.list_alarms(
                conn,
                kind=kind,
                installation_id=installation_id,
                gateway_id=gateway_id,
                before=before,
                limit=limit,
            )

    async def is_known(self, installation_id: int) -> bool:
        """Whether there is such an installation."""
        async with self._database.connect() as conn:
            return await readings.is_known(conn, installation_id)

    async def events(
        self, installation_id: int, *, before: UUID | None, limit: int
    ) -> Sequence[Row[Any]] | None:
        """The newest first; None where there is no such installation."""
        async with self._database.connect() as conn:
            if not await readings.is_known(conn, installation_id):
                return None
            return await events.list_events(conn, installation_id, before=before, limit=limit)
