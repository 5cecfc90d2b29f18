"""Gateways: their settings, the state of the meters behind them, the quality of their lines."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.fleet import (
    COUNTS,
    SETTINGS,
    GatewayChange,
    GatewaySettings,
    KnownGateway,
    MeterCounts,
    QualityHour,
    Site,
)
from npms_meter_gateway.domain.quality import LineQuality

_COUNTS = """
    count(i.installation_id) AS meters,
    count(*) FILTER (WHERE m.link = 'reachable') AS reachable,
    count(*) FILTER (WHERE m.link = 'unreachable') AS unreachable,
    count(*) FILTER (WHERE coalesce(m.seen_at, sent.taken_at, i.opened_at) < :late_before) AS late,
    count(*) FILTER (WHERE s.reported_state = 'off') AS switched_off,
    count(*) FILTER (WHERE s.reported_state = 'off' AND s.desired_state = 'on')
        AS off_against_desired,
    count(*) FILTER (WHERE s.reported_state = 'on' AND s.desired_state = 'off')
        AS on_against_desired,
    coalesce(sum(h.held), 0)::bigint AS held_readings
"""
_STATES = """
    LEFT JOIN meter_state m USING (installation_id)
    LEFT JOIN LATERAL (
        SELECT taken_at FROM reading r
        WHERE i.port = 0 AND r.installation_id = i.installation_id ORDER BY taken_at DESC LIMIT 1
    ) sent ON true
    LEFT JOIN supply s USING (installation_id)
    LEFT JOIN LATERAL (
        SELECT count(*) AS held FROM held_reading p
        WHERE p.installation_id = i.installation_id AND p.state = 'held'
    ) h ON true
"""
_SETTINGS = "g.gateway_id, g.host, g.port, " + ", ".join(f"g.{name}" for name in SETTINGS)
_LIST = f"""
    SELECT {_SETTINGS}, {_COUNTS}
    FROM gateway g
    LEFT JOIN installation i ON i.host = g.host AND i.port = g.port AND i.closed_at IS NULL
    {_STATES}
"""  # noqa: S608 - names of columns
_PAGE = text(f"{_LIST} WHERE g.gateway_id > :after GROUP BY g.gateway_id ORDER BY 1 LIMIT :limit")
_SHOW = text(f"{_LIST} WHERE g.gateway_id = :gateway_id GROUP BY g.gateway_id")
_SITES = text(
    f"""
    SELECT coalesce(g.site, '') AS site, count(DISTINCT g.gateway_id) AS gateways, {_COUNTS}
    FROM installation i
    LEFT JOIN gateway g ON i.host = g.host AND i.port = g.port
    {_STATES}
    WHERE i.closed_at IS NULL
    GROUP BY 1 ORDER BY 1
    """  # noqa: S608 - names of columns
)
_CHANGE = text(
    f"""
    UPDATE gateway
    SET {", ".join(f"{name} = coalesce(:{name}, {name})" for name in SETTINGS)},
        change = nextval('installation_change')
    WHERE gateway_id = :gateway_id
    """  # noqa: S608 - names of columns
)
_IS_SERIAL = text(
    "SELECT 1 FROM gateway WHERE host = :host AND port = :port AND transport = 'serial'"
)
_LOCK_SETTINGS = text(
    f"SELECT {', '.join(SETTINGS)} FROM gateway WHERE gateway_id = :gateway_id FOR UPDATE"  # noqa: S608
)
_NOTE_CHANGE = text(
    """
    INSERT INTO gateway_change (gateway_id, changed_at, by_subject, before, after)
    VALUES (:gateway_id, :now, :by, CAST(:before AS jsonb), CAST(:after AS jsonb))
    """
)
_CHANGES = text(
    """
    SELECT change_id, changed_at, by_subject, before, after FROM gateway_change
    WHERE gateway_id = :gateway_id AND change_id < coalesce(CAST(:before AS bigint), change_id + 1)
    ORDER BY change_id DESC LIMIT :limit
    """
)
_ONE_AT_A_TIME = text("SELECT pg_advisory_xact_lock(hashtextextended(:ip || ' ' || :port, 0))")
# A gateway without an open installation is not read: what it was reached at is nobody's.
_OTHER_AT = text(
    """
    SELECT g.gateway_id, g.host, g.port FROM gateway g
    WHERE g.peer = :ip AND g.port = :port AND g.gateway_id <> :gateway_id
      AND EXISTS (SELECT FROM installation i
                  WHERE i.host = g.host AND i.port = g.port AND i.closed_at IS NULL)
    LIMIT 1
    """
)
_SET_PEER = text("UPDATE gateway SET peer = :ip WHERE gateway_id = :gateway_id AND peer <> :ip")
_ADD_QUALITY = text(
    """
    INSERT INTO gateway_quality AS q (gateway_id, hour, asked, answered, timeouts, exceptions,
                                      drops, bad_answers, busy_ms)
    SELECT id, date_trunc('hour', CAST(:now AS timestamptz)), asked, answered, timeouts,
           exceptions, drops, bad, busy
    FROM unnest(CAST(:gateway_id AS bigint[]), CAST(:asked AS bigint[]),
                CAST(:answered AS bigint[]), CAST(:timeouts AS bigint[]),
                CAST(:exceptions AS bigint[]), CAST(:drops AS bigint[]),
                CAST(:bad_answers AS bigint[]), CAST(:busy_ms AS bigint[]))
         AS t (id, asked, answered, timeouts, exceptions, drops, bad, busy)
    ON CONFLICT (gateway_id, hour) DO UPDATE
    SET asked = q.asked + excluded.asked, answered = q.answered + excluded.answered,
        timeouts = q.timeouts + excluded.timeouts, exceptions = q.exceptions + excluded.exceptions,
        drops = q.drops + excluded.drops, bad_answers = q.bad_answers + excluded.bad_answers,
        busy_ms = q.busy_ms + excluded.busy_ms
    """
)
_QUALITY = text(
    """
    SELECT hour, asked, answered, timeouts, exceptions, drops, bad_answers, busy_ms
    FROM gateway_quality WHERE gateway_id = :gateway_id AND hour >= :since ORDER BY hour
    """
)
_FORGET = text("DELETE FROM gateway_quality WHERE hour < :before")


async def list_gateways(
    conn: AsyncConnection, *, after: int, limit: int, late_before: datetime
) -> Sequence[KnownGateway]:
    """By their ids, each with counts of its open installations."""
    values = {"after": after, "limit": limit, "late_before": late_before}
    return [_gateway(row) for row in await conn.execute(_PAGE, values)]


async def find_gateway(
    conn: AsyncConnection, gateway_id: int, *, late_before: datetime
) -> KnownGateway | None:
    values = {"gateway_id": gateway_id, "late_before": late_before}
    row = (await conn.execute(_SHOW, values)).one_or_none()
    return None if row is None else _gateway(row)


def _gateway(row: Row[Any]) -> KnownGateway:
    return KnownGateway(
        row.gateway_id, row.host, row.port, settings=_settings(row), counts=_counts(row)
    )


def _settings(row: Row[Any]) -> GatewaySettings:
    return GatewaySettings(**{name: getattr(row, name) for name in SETTINGS})


def _counts(row: Row[Any]) -> MeterCounts:
    return MeterCounts(**{name: getattr(row, name) for name in COUNTS})


async def count_by_site(conn: AsyncConnection, *, late_before: datetime) -> list[Site]:
    """Every site; meters that send their readings count as of no site."""
    rows = await conn.execute(_SITES, {"late_before": late_before})
    return [Site(row.site, row.gateways, _counts(row)) for row in rows]


async def change_gateway(
    conn: AsyncConnection, gateway_id: int, changes: Mapping[str, Any]
) -> bool:
    """Set the settings that are given; False if there is no such gateway."""
    values = {name: changes.get(name) for name in SETTINGS}
    return (await conn.execute(_CHANGE, {**values, "gateway_id": gateway_id})).rowcount == 1


async def is_serial(conn: AsyncConnection, host: str, port: int) -> bool:
    """Whether this gateway is a device of a machine, and its address only a name for it."""
    return (await conn.execute(_IS_SERIAL, {"host": host, "port": port})).first() is not None


async def lock_settings(conn: AsyncConnection, gateway_id: int) -> GatewaySettings | None:
    """Its settings as they are; nobody else changes them meanwhile."""
    row = (await conn.execute(_LOCK_SETTINGS, {"gateway_id": gateway_id})).one_or_none()
    return None if row is None else _settings(row)


async def note_change(
    conn: AsyncConnection,
    gateway_id: int,
    *,
    by: str,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    now: datetime,
) -> None:
    """Keep what a person changed: the settings that differ."""
    values = {"before": json.dumps(before), "after": json.dumps(after)}
    await conn.execute(_NOTE_CHANGE, {**values, "gateway_id": gateway_id, "by": by, "now": now})


async def list_changes(
    conn: AsyncConnection, gateway_id: int, *, before: int | None, limit: int
) -> Sequence[GatewayChange]:
    """Newest first, those with an id below `before`."""
    values = {"gateway_id": gateway_id, "before": before, "limit": limit}
    return [GatewayChange(**row._mapping) for row in await conn.execute(_CHANGES, values)]


async def claim_peer(
    conn: AsyncConnection, gateway_id: int, *, ip: str, port: int
) -> tuple[int, str, int] | None:
    """Note at what address a gateway is reached; (gateway_id, host, port) of the other that is
    read there, where one is.
    """
    await conn.execute(_ONE_AT_A_TIME, {"ip": ip, "port": str(port)})
    found = await conn.execute(_OTHER_AT, {"gateway_id": gateway_id, "ip": ip, "port": port})
    other = found.one_or_none()
    if other is None:
        await conn.execute(_SET_PEER, {"gateway_id": gateway_id, "ip": ip})
        return None
    return other.gateway_id, other.host, other.port


async def add_quality(
    conn: AsyncConnection, qualities: Sequence[LineQuality], *, now: datetime
) -> None:
    """Add to the hour that `now` lies in."""
    columns = {
        name: [getattr(quality, name) for quality in qualities] for name in LineQuality.__slots__
    }
    await conn.execute(_ADD_QUALITY, {**columns, "now": now})


async def list_quality(
    conn: AsyncConnection, gateway_id: int, *, since: datetime
) -> Sequence[QualityHour]:
    """Hours in their order; one without a request is left out."""
    rows = await conn.execute(_QUALITY, {"gateway_id": gateway_id, "since": since})
    return [QualityHour(**row._mapping) for row in rows]


async def forget_quality(conn: AsyncConnection, *, before: datetime) -> None:
    await conn.execute(_FORGET, {"before": before})
