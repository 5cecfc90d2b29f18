"""Installations as the gateway needs them, and what their meters last showed."""

from collections.abc import Collection, Sequence
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.meters import (
    KnownMeter,
    MeterFilter,
    PolledInstallation,
    ReportedSupply,
    SupplyState,
)
from npms_meter_gateway.domain.reconciling import Desired
from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened

_OPEN = text(
    """
    INSERT INTO installation (installation_id, account_id, partition, serial, profile, host, port,
                              unit_id, max_power_w, opening_register_wh, opened_at)
    VALUES (:installation_id, :account_id, :partition, :serial, :profile, :host, :port,
            :unit_id, :max_power_w, :opening_register_wh, :opened_at)
    ON CONFLICT (installation_id) DO NOTHING
    """
)
_ADD_GATEWAY = text(
    """
    INSERT INTO gateway (host, port) SELECT :host, :port WHERE :port > 0
    ON CONFLICT (host, port) DO NOTHING
    """
)
_CLOSE = text(
    """
    UPDATE installation
    SET closed_at = :closed_at, closing_register_wh = :closing_register_wh,
        change = nextval('installation_change')
    WHERE installation_id = :installation_id AND closed_at IS NULL
    RETURNING partition
    """
)
_POLLED_OF = text(
    """
    SELECT installation_id FROM installation
    WHERE installation_id = ANY(CAST(:installation_ids AS bigint[]))
      AND port > 0 AND closed_at IS NULL
    """
)
_HOLDER = text(
    """
    SELECT installation_id, account_id FROM installation
    WHERE closed_at IS NULL AND host = :host AND port = :port AND unit_id = :unit_id
    """
)
_FINGERPRINT = text(
    """
    SELECT count(*), coalesce(sum(i.change), 0) + coalesce(sum(g.change), 0)
    FROM installation i JOIN gateway g USING (host, port)
    WHERE i.closed_at IS NULL AND i.port > 0 AND g.holder = :holder
    """
)
_POLLED = text(
    """
    SELECT i.installation_id, i.account_id, i.serial, i.profile, i.host, i.port, i.unit_id,
           g.gateway_id, g.transport, g.device, g.baud, g.parity, g.site, g.depth, g.pause_ms,
           g.late_window_ms, coalesce(m.link, 'unknown') AS link
    FROM installation i
    JOIN gateway g USING (host, port)
    LEFT JOIN meter_state m USING (installation_id)
    WHERE i.closed_at IS NULL AND i.port > 0 AND g.holder = :holder
    """
)
_OF_SERIALS = text(
    """
    SELECT DISTINCT ON (serial) serial, installation_id FROM installation
    WHERE serial = ANY(CAST(:serials AS text[]))
    ORDER BY serial, closed_at IS NULL DESC, opened_at DESC
    """
)
_METERS = """
    SELECT i.installation_id, i.account_id, i.serial, i.profile, i.host, i.port, i.unit_id,
           i.opened_at, i.closed_at, coalesce(m.link, 'unknown') AS link, m.link_since, m.seen_at,
           m.power_w, m.voltage_mv, m.relay, r.taken_at, r.register_wh,
           s.desired_state, s.desired_revision, s.desired_reason, s.desired_limit_w, s.settled,
           s.reported_limit_w, s.awaits, s.suspended_since, s.blocked_by,
           s.reported_state, s.reported_revision, s.reported_verified, s.reported_at
    FROM installation i
    LEFT JOIN meter_state m USING (installation_id)
    LEFT JOIN supply s USING (installation_id)
    LEFT JOIN LATERAL (
        SELECT taken_at, register_wh FROM reading
        WHERE installation_id = i.installation_id ORDER BY taken_at DESC LIMIT 1
    ) r ON true
"""
_LIST = text(
    f"""
    {_METERS} LEFT JOIN gateway g ON i.host = g.host AND i.port = g.port
    WHERE i.installation_id > :after
      AND (CAST(:serial AS text) IS NULL OR i.serial = :serial)
      AND (CAST(:link AS text) IS NULL OR coalesce(m.link, 'unknown') = :link)
      AND (CAST(:gateway_id AS bigint) IS NULL OR g.gateway_id = :gateway_id)
      AND (NOT :late OR (
           i.closed_at IS NULL AND coalesce(m.seen_at, r.taken_at, i.opened_at) < :late_before))
      AND (NOT :against_desired OR (i.closed_at IS NULL AND s.reported_state <> s.desired_state
           AND s.reported_state IN ('on', 'off')))
    ORDER BY i.installation_id LIMIT :limit
    """
)
_SHOW = text(f"{_METERS} WHERE i.installation_id = :installation_id")
_SHOW_MANY = text(f"{_METERS} WHERE i.installation_id = ANY(CAST(:installation_ids AS bigint[]))")

_SEE = text(
    """
    INSERT INTO meter_state AS m
        (installation_id, seen_at, power_w, voltage_mv, relay, points, link, link_since)
    SELECT id, at, power, voltage, relay, CAST(points AS jsonb), 'reachable', at
    FROM unnest(CAST(:installation_ids AS bigint[]), CAST(:seen_at AS timestamptz[]),
                CAST(:power_w AS bigint[]), CAST(:voltage_mv AS bigint[]),
                CAST(:relays AS text[]), CAST(:points AS text[]))
        AS seen (id, at, power, voltage, relay, points)
    ON CONFLICT (installation_id) DO UPDATE
    SET seen_at = excluded.seen_at,
        power_w = coalesce(excluded.power_w, m.power_w),
        voltage_mv = coalesce(excluded.voltage_mv, m.voltage_mv),
        relay = coalesce(excluded.relay, m.relay),
        points = coalesce(excluded.points, m.points),
        link_since = CASE m.link WHEN 'unknown' THEN excluded.link_since ELSE m.link_since END,
        link = CASE m.link WHEN 'unknown' THEN 'reachable' ELSE m.link END
    WHERE m.seen_at IS NULL OR m.seen_at <= excluded.seen_at
    """
)
_LINK = text("SELECT link FROM meter_state WHERE installation_id = :installation_id FOR UPDATE")
_SET_LINK = text(
    """
    INSERT INTO meter_state (installation_id, link, link_since)
    VALUES (:installation_id, :link, :since)
    ON CONFLICT (installation_id) DO UPDATE
    SET link = excluded.link, link_since = excluded.link_since
    """
)
_LOSE_LINKS = text(
    """
    INSERT INTO meter_state AS m (installation_id, link, link_since)
    SELECT unnest(CAST(:installation_ids AS bigint[])), 'unreachable', :since
    ON CONFLICT (installation_id) DO UPDATE
    SET link = excluded.link, link_since = excluded.link_since
    WHERE m.link <> excluded.link
    """
)


_GATEWAY = tuple(column.name for column in fields(Gateway))
_PLAIN = (
    "installation_id", "account_id", "serial", "profile", "host", "port", "unit_id", "opened_at",
    "closed_at", "link", "link_since", "seen_at", "power_w", "voltage_mv", "relay",
)  # fmt: skip


class MeterInUse(Exception):
    """Another open installation reads the same unit behind the same address."""


async def open_installation(
    conn: AsyncConnection, event: InstallationOpened, *, partition: int
) -> None:
    """Note an installation; MeterInUse when its meter already serves another open one."""
    meter = event.meter
    values = {
        "installation_id": event.installation_id,
        "account_id": event.account_id,
        "partition": partition,
        "serial": meter.serial,
        "profile": meter.profile,
        "host": meter.host,
        "port": meter.port,
        "unit_id": meter.unit_id,
        "max_power_w": event.max_power_w,
        "opening_register_wh": event.opening_register_wh,
        "opened_at": event.opened_at,
    }
    try:
        async with conn.begin_nested():
            await conn.execute(_OPEN, values)
            await conn.execute(_ADD_GATEWAY, {"host": meter.host, "port": meter.port})
    except IntegrityError as fault:
        if "installation_of_meter" in str(fault.orig):
            raise MeterInUse from None
        raise


async def served_by(
    conn: AsyncConnection, host: str, port: int, unit_id: int
) -> tuple[int, int] | None:
    """(installation_id, account_id) of the open installation that this meter serves."""
    values = {"host": host, "port": port, "unit_id": unit_id}
    row = (await conn.execute(_HOLDER, values)).one_or_none()
    return None if row is None else (row.installation_id, row.account_id)


async def close_installation(conn: AsyncConnection, event: InstallationClosed) -> int | None:
    """The partition of the installation closed; None if there is no such open one."""
    found = await conn.execute(
        _CLOSE,
        {
            "installation_id": event.installation_id,
            "closed_at": event.closed_at,
            "closing_register_wh": event.closing_register_wh,
        },
    )
    return found.scalar_one_or_none()


async def polled_fingerprint(conn: AsyncConnection, holder: UUID) -> tuple[int, int]:
    """Changes whenever the set of polled installations does."""
    count, total = (await conn.execute(_FINGERPRINT, {"holder": holder})).one()
    return int(count), int(total)


async def polled(conn: AsyncConnection, holder: UUID) -> Sequence[PolledInstallation]:
    """Every open installation behind a gateway that the worker holds, with its link state."""
    return [_polled(row) for row in await conn.execute(_POLLED, {"holder": holder})]


def _polled(row: Row[Any]) -> PolledInstallation:
    return PolledInstallation(
        row.installation_id,
        row.account_id,
        row.serial,
        row.profile,
        row.unit_id,
        row.link,
        Gateway(**{name: getattr(row, name) for name in _GATEWAY}),
    )


async def of_serials(conn: AsyncConnection, serials: Collection[str]) -> dict[str, int]:
    """The installation that each meter serves, or the last one it served."""
    rows = await conn.execute(_OF_SERIALS, {"serials": list(serials)})
    return {row.serial: row.installation_id for row in rows}


async def polled_of(conn: AsyncConnection, installation_ids: Collection[int]) -> frozenset[int]:
    """Those of them whose meters are read by us."""
    found = await conn.execute(_POLLED_OF, {"installation_ids": list(installation_ids)})
    return frozenset(found.scalars())


async def list_meters(
    conn: AsyncConnection, wanted: MeterFilter, *, late_before: datetime, after: int, limit: int
) -> Sequence[KnownMeter]:
    """Those with an id above `after`, in the order of their ids."""
    values = {"late_before": late_before, "after": after, "limit": limit}
    return [_meter(row) for row in await conn.execute(_LIST, {**asdict(wanted), **values})]


async def find_meter(conn: AsyncConnection, installation_id: int) -> KnownMeter | None:
    row = (await conn.execute(_SHOW, {"installation_id": installation_id})).one_or_none()
    return None if row is None else _meter(row)


async def find_meters(
    conn: AsyncConnection, installation_ids: Sequence[int]
) -> Sequence[KnownMeter]:
    """Those of them that there are."""
    rows = await conn.execute(_SHOW_MANY, {"installation_ids": list(installation_ids)})
    return [_meter(row) for row in rows]


def _meter(row: Row[Any]) -> KnownMeter:
    return KnownMeter(
        **{name: getattr(row, name) for name in _PLAIN},
        last_reading=None if row.taken_at is None else (row.taken_at, row.register_wh),
        supply=None if row.desired_state is None else _supply(row),
    )


def _supply(row: Row[Any]) -> SupplyState:
    return SupplyState(
        desired=Desired(
            row.desired_state, row.desired_revision, row.desired_reason, row.desired_limit_w
        ),
        reported=None if row.reported_state is None else _reported(row),
        settled=row.settled,
        awaits=row.awaits,
        suspended_since=row.suspended_since,
        blocked_by=row.blocked_by,
    )


def _reported(row: Row[Any]) -> ReportedSupply:
    return ReportedSupply(
        row.reported_state,
        row.reported_revision,
        row.reported_verified,
        row.reported_limit_w,
        row.reported_at,
    )


async def note_sights(conn: AsyncConnection, columns: dict[str, list[Any]]) -> None:
    """Upsert sights unless newer ones are known; a meter never heard of before is reachable.

    Lists of installation_ids, seen_at, power_w, voltage_mv, relays, points (JSON texts); None
    leaves what is known.
    """
    await conn.execute(_SEE, columns)


async def exchange_link(
    conn: AsyncConnection, installation_id: int, *, link: str, since: Any
) -> str:
    """Set the link state and return what it was."""
    found = await conn.execute(_LINK, {"installation_id": installation_id})
    before = found.scalar_one_or_none() or "unknown"
    if before != link:
        values = {"installation_id": installation_id, "link": link, "since": since}
        await conn.execute(_SET_LINK, values)
    return before


async def lose_links(
    conn: AsyncConnection, installation_ids: Collection[int], *, since: datetime
) -> None:
    """None of these meters answers, since then where it was not so before."""
    await conn.execute(_LOSE_LINKS, {"installation_ids": list(installation_ids), "since": since})
