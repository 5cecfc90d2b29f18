"""Provisional charges: one per installation and day without readings, settled once."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import ChargeLine
from npms_shared.db.arrays import array, arrays

_SILENT = text(
    """
    SELECT s.installation_id FROM rating_state s JOIN installation i USING (installation_id)
    WHERE s.installation_id > :after AND s.read_at_s <= :since_s AND i.closed_at IS NULL
      AND NOT EXISTS (SELECT 1 FROM billing_hold h
          WHERE h.installation_id = s.installation_id AND h.released_at IS NULL)
      AND NOT EXISTS (SELECT 1 FROM provisional p
          WHERE p.installation_id = s.installation_id AND p.end_s > :fresh_s)
    ORDER BY s.installation_id LIMIT :limit FOR UPDATE OF s SKIP LOCKED
    """
)
_HOURS = text(
    f"""
    SELECT s.installation_id, u.hour_s, u.energy_wh
    FROM rating_state s JOIN usage_hour u USING (installation_id)
    WHERE s.installation_id = ANY({arrays("ids")}) AND u.hour_s >= s.read_at_s - :span_s
    """  # noqa: S608 - names of this module
)
_DAYS = text(
    f"""
    SELECT installation_id, day_s FROM provisional WHERE installation_id = ANY({arrays("ids")})
    """  # noqa: S608 - names of this module
)
_OPENED = text(
    f"""
    SELECT installation_id, CAST(extract(epoch FROM opened_at) AS bigint) AS opened_s
    FROM installation WHERE installation_id = ANY({arrays("ids")})
    """  # noqa: S608 - names of this module
)
_ADD = text(
    """
    INSERT INTO provisional (installation_id, day_s, end_s, adjustment_id, plan_version_id,
                             energy_wh, amount_micro, lines, charged_at)
    VALUES (:installation_id, :day_s, :end_s, :adjustment_id, :plan_version_id, :energy_wh,
            :amount_micro, CAST(:lines AS jsonb), :charged_at)
    """
)
_WITH_OPEN = text(
    f"""
    SELECT DISTINCT installation_id FROM provisional
    WHERE installation_id = ANY({arrays("ids")}) AND settlement_id IS NULL
    """  # noqa: S608 - names of this module
)
_OPEN = text(
    f"""
    SELECT installation_id, day_s, end_s, plan_version_id, lines FROM provisional
    WHERE installation_id = ANY({arrays("ids")}) AND settlement_id IS NULL
    ORDER BY installation_id, day_s FOR UPDATE
    """  # noqa: S608 - names of this module
)
_SETTLE = text(
    """
    UPDATE provisional SET settlement_id = :settlement_id, settled_at = :at
    WHERE installation_id = :installation_id AND settlement_id IS NULL AND day_s < :before_s
    """
)


@dataclass(frozen=True, slots=True)
class Provisional:
    """An estimated day that was charged."""

    installation_id: int
    day_s: int
    end_s: int
    adjustment_id: UUID
    plan_version_id: int
    energy_wh: int
    amount_micro: int
    lines: list[ChargeLine]
    charged_at: datetime


@dataclass(frozen=True, slots=True)
class OpenProvisional:
    installation_id: int
    day_s: int
    end_s: int
    plan_version_id: int
    lines: list[ChargeLine]


async def lock_silent(
    conn: AsyncConnection, *, after: int, since_s: int, fresh_s: int, limit: int
) -> list[int]:
    """Open installations with ids above `after`, last rated at or before `since_s`, whose newest
    estimated day ended at or before `fresh_s`; their states locked, those in other hands left out.
    """
    rows = await conn.execute(
        _SILENT, {"after": after, "since_s": since_s, "fresh_s": fresh_s, "limit": limit}
    )
    return list(rows.scalars())


async def hours_before(
    conn: AsyncConnection, ids: Sequence[int], *, span_s: int
) -> dict[int, dict[int, int]]:
    """Energy by hour of the last `span_s` before each one's last reading."""
    hours: dict[int, dict[int, int]] = {installation_id: {} for installation_id in ids}
    for installation_id, hour_s, energy_wh in await conn.execute(
        _HOURS, {"ids": array(ids), "span_s": span_s}
    ):
        hours[installation_id][hour_s] = energy_wh
    return hours


async def days_of(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, set[int]]:
    """The days that were ever estimated, by installation."""
    days: dict[int, set[int]] = {installation_id: set() for installation_id in ids}
    for installation_id, day_s in await conn.execute(_DAYS, {"ids": array(ids)}):
        days[installation_id].add(day_s)
    return days


async def opened_at_s(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, int]:
    return {row[0]: row[1] for row in await conn.execute(_OPENED, {"ids": array(ids)})}


async def add_provisionals(conn: AsyncConnection, charged: Sequence[Provisional]) -> None:
    rows = [{**asdict(day), "lines": json.dumps(day.lines)} for day in charged]
    await conn.execute(_ADD, rows)


async def with_open(conn: AsyncConnection, ids: Sequence[int]) -> set[int]:
    """Which of the installations have provisional charges that are not settled."""
    return set((await conn.execute(_WITH_OPEN, {"ids": array(ids)})).scalars())


async def lock_open(conn: AsyncConnection, ids: Sequence[int]) -> list[OpenProvisional]:
    """In the order of installations and days."""
    rows = await conn.execute(_OPEN, {"ids": array(ids)})
    return [
        OpenProvisional(
            row.installation_id,
            day_s=row.day_s,
            end_s=row.end_s,
            plan_version_id=row.plan_version_id,
            lines=[tuple(line) for line in row.lines],
        )
        for row in rows
    ]


async def settle(
    conn: AsyncConnection,
    installation_id: int,
    *,
    before_s: int,
    settlement_id: UUID,
    at: datetime,
) -> None:
    """Those of days that begin before `before_s`."""
    await conn.execute(
        _SETTLE,
        {
            "installation_id": installation_id,
            "before_s": before_s,
            "settlement_id": settlement_id,
            "at": at,
        },
    )
