"""Meter events: what a person should see of a meter."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.alarms import MeterEvent

_ADD = text(
    """
    INSERT INTO meter_event (event_id, installation_id, account_id, kind, detail, raised_at)
    VALUES (:event_id, :installation_id, :account_id, :kind, :detail, :raised_at)
    """
)
_LIST = text(
    """
    SELECT e.event_id, e.installation_id, e.kind, e.detail, e.raised_at, a.cleared_at,
           a.cleared_detail
    FROM meter_event e LEFT JOIN alarm a USING (event_id)
    WHERE e.installation_id = :installation_id
      AND (CAST(:before AS uuid) IS NULL OR e.event_id < :before)
    ORDER BY e.event_id DESC LIMIT :limit
    """
)


async def add_event(
    conn: AsyncConnection,
    *,
    event_id: UUID,
    installation_id: int,
    account_id: int,
    kind: str,
    detail: str,
    raised_at: datetime,
) -> None:
    values = {
        "event_id": event_id,
        "installation_id": installation_id,
        "account_id": account_id,
        "kind": kind,
        "detail": detail,
        "raised_at": raised_at,
    }
    await conn.execute(_ADD, values)


async def list_events(
    conn: AsyncConnection, installation_id: int, *, before: UUID | None, limit: int
) -> Sequence[MeterEvent]:
    """The newest first, with when and why those that last were cleared."""
    values = {"installation_id": installation_id, "before": before, "limit": limit}
    return [MeterEvent(**row._mapping) for row in await conn.execute(_LIST, values)]
