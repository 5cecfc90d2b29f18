"""Alarms: events that last until they are cleared, at most one open of a kind and installation."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.alarms import AlarmFilter, ClearedAlarm, OpenAlarm

_OPEN = text(
    """
    INSERT INTO alarm (event_id, installation_id, account_id, kind, detail, raised_at)
    VALUES (:event_id, :installation_id, :account_id, :kind, :detail, :raised_at)
    ON CONFLICT (installation_id, kind) WHERE cleared_at IS NULL DO NOTHING
    RETURNING event_id
    """
)
_CLEAR = text(
    """
    UPDATE alarm SET cleared_at = :cleared_at, cleared_detail = :detail
    WHERE installation_id = :installation_id AND cleared_at IS NULL
      AND (CAST(:kind AS text) IS NULL OR kind = :kind)
    RETURNING account_id, kind, raised_at
    """
)
_KINDS = text("SELECT kind FROM alarm WHERE installation_id = :id AND cleared_at IS NULL")
_OF_GATEWAY = text(
    """
    SELECT a.installation_id FROM alarm a
    JOIN installation i USING (installation_id)
    JOIN installation asked ON asked.host = i.host AND asked.port = i.port
    WHERE asked.installation_id = :installation_id AND a.kind = :kind AND a.cleared_at IS NULL
    """
)
_OF_KIND = text("SELECT installation_id FROM alarm WHERE kind = :kind AND cleared_at IS NULL")
_LIST = text(
    """
    SELECT a.event_id, a.installation_id, a.account_id, i.serial, g.gateway_id, a.kind, a.detail,
           a.raised_at
    FROM alarm a
    JOIN installation i USING (installation_id)
    LEFT JOIN gateway g ON g.host = i.host AND g.port = i.port
    WHERE a.cleared_at IS NULL
      AND (CAST(:kind AS text) IS NULL OR a.kind = :kind)
      AND (CAST(:installation_id AS bigint) IS NULL OR a.installation_id = :installation_id)
      AND (CAST(:gateway_id AS bigint) IS NULL OR g.gateway_id = :gateway_id)
      AND (CAST(:before AS uuid) IS NULL OR a.event_id < :before)
    ORDER BY a.event_id DESC LIMIT :limit
    """
)
_COUNT = text("SELECT kind, count(*) AS n FROM alarm WHERE cleared_at IS NULL GROUP BY kind")


async def open_alarm(
    conn: AsyncConnection,
    *,
    event_id: UUID,
    installation_id: int,
    account_id: int,
    kind: str,
    detail: str,
    raised_at: datetime,
) -> bool:
    """False where one of this kind is open already."""
    values = {
        "event_id": event_id,
        "installation_id": installation_id,
        "account_id": account_id,
        "kind": kind,
        "detail": detail,
        "raised_at": raised_at,
    }
    return (await conn.execute(_OPEN, values)).scalar_one_or_none() is not None


async def clear_alarms(
    conn: AsyncConnection,
    installation_id: int,
    *,
    kind: str | None,
    detail: str,
    cleared_at: datetime,
) -> Sequence[ClearedAlarm]:
    """Close the open one of this kind, or all; returns those that were open."""
    values = {
        "installation_id": installation_id,
        "kind": kind,
        "detail": detail,
        "cleared_at": cleared_at,
    }
    return [ClearedAlarm(*row) for row in await conn.execute(_CLEAR, values)]


async def of_gateway(conn: AsyncConnection, installation_id: int, *, kind: str) -> list[int]:
    """The installations behind the same gateway that have an open alarm of this kind."""
    values = {"installation_id": installation_id, "kind": kind}
    return list((await conn.execute(_OF_GATEWAY, values)).scalars())


async def open_kinds(conn: AsyncConnection, installation_id: int) -> frozenset[str]:
    """Which alarms of the installation are open."""
    return frozenset((await conn.execute(_KINDS, {"id": installation_id})).scalars())


async def open_of_kind(conn: AsyncConnection, kind: str) -> set[int]:
    """The installations for which one of this kind is open."""
    return set((await conn.execute(_OF_KIND, {"kind": kind})).scalars())


async def list_alarms(
    conn: AsyncConnection, wanted: AlarmFilter, *, before: UUID | None, limit: int
) -> Sequence[OpenAlarm]:
    """The open ones, the newest first."""
    values = {**asdict(wanted), "before": before, "limit": limit}
    return [OpenAlarm(**row._mapping) for row in await conn.execute(_LIST, values)]


async def count_open(conn: AsyncConnection) -> dict[str, int]:
    """How many are open, by kind."""
    return {row.kind: row.n for row in await conn.execute(_COUNT)}
