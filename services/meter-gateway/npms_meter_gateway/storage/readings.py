"""Readings, added once and never changed, and the cursors by which writers take turns."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.validation import Columns, Track

_TURN = text(
    """
    WITH held AS (
        SELECT partition FROM reading_cursor WHERE partition = ANY(CAST(:partitions AS int[]))
        ORDER BY partition FOR UPDATE
    )
    UPDATE reading_cursor c SET version = version + 1
    FROM held WHERE c.partition = held.partition
    RETURNING c.partition, c.version
    """
)
_TRACKS = text(
    """
    SELECT i.installation_id, i.account_id, i.partition, i.profile, i.max_power_w,
           i.closed_at IS NOT NULL AS closed, r.register_wh IS NOT NULL AS has_readings,
           CAST(floor(extract(epoch FROM coalesce(r.taken_at, i.opened_at))) AS bigint) AS at_s,
           coalesce(r.register_wh, i.opening_register_wh) AS register_wh
    FROM installation i
    LEFT JOIN LATERAL (
        SELECT taken_at, register_wh FROM reading
        WHERE installation_id = i.installation_id ORDER BY taken_at DESC LIMIT 1
    ) r ON true
    WHERE i.installation_id = ANY(CAST(:installation_ids AS bigint[]))
    """
)
_ADD = text(
    """
    INSERT INTO reading (installation_id, taken_at, register_wh)
    SELECT id, to_timestamp(at), register
    FROM unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[]), CAST(:registers AS bigint[]))
         AS t (id, at, register)
    """
)
_PARK = text(
    """
    INSERT INTO parked_reading (installation_id, taken_at, register_wh, reason, source, parked_at)
    SELECT id, to_timestamp(at), CAST(register AS numeric), reason, :source, :now
    FROM unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[]), CAST(:registers AS text[]),
                CAST(:reasons AS text[])) AS t (id, at, register, reason)
    ON CONFLICT DO NOTHING
    """
)
_AT = text(
    """
    SELECT r.installation_id, CAST(extract(epoch FROM r.taken_at) AS bigint) AS at_s, r.register_wh
    FROM reading r JOIN unnest(CAST(:ids AS bigint[]), CAST(:at_s AS bigint[])) AS t (id, at)
        ON r.installation_id = t.id AND r.taken_at = to_timestamp(t.at)
    """
)
_LIST_PARKED = text(
    """
    SELECT parked_id, installation_id, taken_at, register_wh, reason, source, parked_at
    FROM parked_reading
    WHERE parked_id < :before
      AND (CAST(:installation_id AS bigint) IS NULL OR installation_id = :installation_id)
    ORDER BY parked_id DESC LIMIT :limit
    """
)


async def take_turns(conn: AsyncConnection, partitions: Iterable[int]) -> dict[int, int]:
    """Hold the partitions' cursors until the transaction ends; returns their new versions."""
    rows = await conn.execute(_TURN, {"partitions": sorted(partitions)})
    return {row.partition: row.version for row in rows}


async def load_tracks(
    conn: AsyncConnection,
    installation_ids: Iterable[int],
    *,
    registers: dict[str, tuple[int, int | None]],
) -> list[Track]:
    """Where the known ones of these stand; `registers` has (resolution, modulus) by profile."""
    rows = await conn.execute(_TRACKS, {"installation_ids": list(installation_ids)})
    return [_track(row, registers) for row in rows]


def _track(row: Row[Any], registers: dict[str, tuple[int, int | None]]) -> Track:
    resolution_wh, rollover_wh = registers.get(row.profile, (1, None))
    return Track(
        installation_id=row.installation_id,
        account_id=row.account_id,
        partition=row.partition,
        at_s=row.at_s,
        register_wh=row.register_wh,
        max_power_w=row.max_power_w,
        resolution_wh=resolution_wh,
        rollover_wh=rollover_wh,
        has_readings=row.has_readings,
        closed=row.closed,
    )


async def add_readings(conn: AsyncConnection, accepted: Sequence[Columns]) -> None:
    """Store accepted readings; a second one of the same moment is an error, it was sifted out."""
    await conn.execute(
        _ADD,
        {
            "ids": list(chain.from_iterable(columns[0] for columns in accepted)),
            "at_s": list(chain.from_iterable(columns[2] for columns in accepted)),
            "registers": list(chain.from_iterable(columns[3] for columns in accepted)),
        },
    )


async def park_readings(
    conn: AsyncConnection,
    rejected: Sequence[tuple[int, int, int, str]],
    *,
    source: str,
    now: datetime,
) -> None:
    """Keep readings that are not believed: (installation_id, taken_at_s, register_wh, reason)."""
    ids, at_s, registers, reasons = (list(column) for column in zip(*rejected, strict=True))
    await conn.execute(
        _PARK,
        {
            "ids": ids,
            "at_s": at_s,
            "registers": [str(register) for register in registers],
            "reasons": reasons,
            "source": source,
            "now": now,
        },
    )


async def registers_at(
    conn: AsyncConnection, moments: Sequence[tuple[int, int]]
) -> dict[tuple[int, int], int]:
    """The stored register at each (installation_id, taken_at_s) that has one."""
    ids, at_s = (list(column) for column in zip(*moments, strict=True))
    rows = await conn.execute(_AT, {"ids": ids, "at_s": at_s})
    return {(row.installation_id, row.at_s): row.register_wh for row in rows}


async def list_parked_readings(
    conn: AsyncConnection, *, installation_id: int | None, before: int, limit: int
) -> Sequence[Row[Any]]:
    """The newest first."""
    values = {"installation_id": installation_id, "before": before, "limit": limit}
    return (await conn.execute(_LIST_PARKED, values)).all()
