"""Feeders, their members, and what was judged of their days."""

from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.feeder import Around, Feeder, Loss, Moment

_PUT = text(
    """
    INSERT INTO feeder (installation_id, tolerance_ppm, time_zone, changed_by, reason, changed_at)
    VALUES (:feeder_id, :tolerance_ppm, :time_zone, :by, :reason, :at)
    ON CONFLICT (installation_id) DO UPDATE
    SET tolerance_ppm = excluded.tolerance_ppm, time_zone = excluded.time_zone,
        changed_by = excluded.changed_by, reason = excluded.reason,
        changed_at = excluded.changed_at
    """
)
_DROP_MEMBERS = text("DELETE FROM feeder_member WHERE feeder_id = :feeder_id")
_ADD_MEMBERS = text(
    """
    INSERT INTO feeder_member (feeder_id, member_id)
    SELECT :feeder_id, unnest(CAST(:members AS bigint[]))
    """
)
_KNOWN = text(
    """
    SELECT installation_id FROM installation
    WHERE installation_id = ANY(CAST(:ids AS bigint[]))
    """
)
_FEEDERS = """
    SELECT f.installation_id, i.account_id, f.tolerance_ppm, f.time_zone, f.changed_by, f.reason,
           f.changed_at, i.opened_at,
           ARRAY(SELECT member_id FROM feeder_member WHERE feeder_id = f.installation_id
                 ORDER BY member_id) AS members
    FROM feeder f JOIN installation i USING (installation_id)
"""
_SHOW = text(f"{_FEEDERS} WHERE f.installation_id = :feeder_id")
_LIST = text(f"{_FEEDERS} WHERE f.installation_id > :after ORDER BY f.installation_id LIMIT :limit")
_AROUND = text(
    """
    SELECT i.installation_id, t.at,
           CAST(floor(extract(epoch FROM i.opened_at)) AS bigint) AS opened_s,
           i.opening_register_wh, i.closing_register_wh,
           CAST(floor(extract(epoch FROM i.closed_at)) AS bigint) AS closed_s,
           CAST(extract(epoch FROM b.taken_at) AS bigint) AS before_s, b.register_wh AS before_wh,
           CAST(extract(epoch FROM a.taken_at) AS bigint) AS after_s, a.register_wh AS after_wh
    FROM unnest(CAST(:instants AS bigint[])) AS t (at)
    CROSS JOIN installation i
    LEFT JOIN LATERAL (
        SELECT taken_at, register_wh FROM reading
        WHERE installation_id = i.installation_id AND taken_at <= to_timestamp(t.at)
        ORDER BY taken_at DESC LIMIT 1
    ) b ON true
    LEFT JOIN LATERAL (
        SELECT taken_at, register_wh FROM reading
        WHERE installation_id = i.installation_id AND taken_at > to_timestamp(t.at)
        ORDER BY taken_at LIMIT 1
    ) a ON true
    WHERE i.installation_id = ANY(CAST(:ids AS bigint[]))
    """
)
_LAST_JUDGED = text("SELECT max(day) FROM feeder_day WHERE feeder_id = :feeder_id")
_JUDGE = text(
    """
    INSERT INTO feeder_day (feeder_id, day, feeder_wh, members_wh, missing, is_beyond, judged_at)
    VALUES (:feeder_id, :day, :feeder_wh, :members_wh, CAST(:missing AS bigint[]), :is_beyond, :at)
    ON CONFLICT DO NOTHING RETURNING 1
    """
)


async def put_feeder(
    conn: AsyncConnection,
    feeder_id: int,
    members: Sequence[int],
    *,
    tolerance_ppm: int,
    time_zone: str,
    by: str,
    reason: str,
    at: datetime,
) -> None:
    values = {
        "feeder_id": feeder_id,
        "tolerance_ppm": tolerance_ppm,
        "time_zone": time_zone,
        "by": by,
        "reason": reason,
        "at": at,
    }
    await conn.execute(_PUT, values)
    await conn.execute(_DROP_MEMBERS, {"feeder_id": feeder_id})
    await conn.execute(_ADD_MEMBERS, {"feeder_id": feeder_id, "members": list(members)})


async def known_of(conn: AsyncConnection, ids: Iterable[int]) -> set[int]:
    """Those installations that were ever opened."""
    return set((await conn.execute(_KNOWN, {"ids": list(ids)})).scalars())


async def find_feeder(conn: AsyncConnection, feeder_id: int) -> Feeder | None:
    row = (await conn.execute(_SHOW, {"feeder_id": feeder_id})).one_or_none()
    return None if row is None else Feeder(**row._mapping)


async def list_feeders(conn: AsyncConnection, *, after: int, limit: int) -> Sequence[Feeder]:
    rows = await conn.execute(_LIST, {"after": after, "limit": limit})
    return [Feeder(**row._mapping) for row in rows]


async def registers_around(
    conn: AsyncConnection, ids: Sequence[int], instants: Iterable[int]
) -> dict[tuple[int, int], Around]:
    """By (installation, epoch seconds), for each of both."""
    rows = await conn.execute(_AROUND, {"ids": list(ids), "instants": sorted(set(instants))})
    return {(row.installation_id, row.at): _around(row) for row in rows}


def _around(row: Row[Any]) -> Around:
    opening: Moment = (row.opened_s, row.opening_register_wh)
    if row.at < row.opened_s:
        return Around(before=None, after=opening)
    if row.closed_s is not None and row.at >= row.closed_s:
        return Around((row.closed_s, row.closing_register_wh), None, is_past_closing=True)
    closing = None if row.closed_s is None else (row.closed_s, row.closing_register_wh)
    return Around(
        before=opening if row.before_s is None else (row.before_s, row.before_wh),
        after=closing if row.after_s is None else (row.after_s, row.after_wh),
    )


async def last_judged(conn: AsyncConnection, feeder_id: int) -> date | None:
    day: date | None = (await conn.execute(_LAST_JUDGED, {"feeder_id": feeder_id})).scalar_one()
    return day


async def judge_day(
    conn: AsyncConnection, feeder_id: int, loss: Loss, *, is_beyond: bool | None, at: datetime
) -> bool:
    """Put down what was found of a day; False where somebody has before."""
    values = {
        "feeder_id": feeder_id,
        "day": loss.day.day,
        "feeder_wh": loss.feeder_wh,
        "members_wh": loss.members_wh,
        "missing": list(loss.missing),
        "is_beyond": is_beyond,
        "at": at,
    }
    return (await conn.execute(_JUDGE, values)).first() is not None
