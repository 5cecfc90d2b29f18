"""Energy and cost of all installations of a plan version, by hour and by local day."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays
from npms_tariff.domain.plan_usage import PlanRow
from npms_tariff.domain.records import PlanUse, Resolution

_COLUMNS = (
    "plan_version_id",
    "partition",
    "hour_s",
    "day",
    "installation_hours",
    "energy_wh",
    "amount_micro",
)


def _adding(table: str, at: str) -> str:
    """Add what was given to the rows that are there, in the order of their keys."""
    return f"""
        INSERT INTO {table} AS kept
            (plan_version_id, {at}, partition, installation_hours, energy_wh, amount_micro)
        SELECT plan_version_id, {at}, partition, sum(installation_hours), sum(energy_wh),
               sum(amount_micro)
        FROM given GROUP BY plan_version_id, {at}, partition
        ORDER BY plan_version_id, {at}, partition
        ON CONFLICT (plan_version_id, {at}, partition) DO UPDATE
        SET installation_hours = kept.installation_hours + excluded.installation_hours,
            energy_wh = kept.energy_wh + excluded.energy_wh,
            amount_micro = kept.amount_micro + excluded.amount_micro
    """  # noqa: S608 - names of this module


_ADD = text(
    f"""
    WITH given AS (
        SELECT * FROM unnest({arrays(*_COLUMNS)}) AS g ({", ".join(_COLUMNS)})
    ), hours AS ({_adding("usage_plan_hour", "hour_s")})
    {_adding("usage_plan_day", "day")}
    """  # noqa: S608 - names of this module
)

_READ = """
    SELECT {at} AS at, v.version, CAST(sum(u.installation_hours) AS bigint),
           CAST(sum(u.energy_wh) AS bigint), CAST(sum(u.amount_micro) AS bigint)
    FROM plan_version v JOIN {table} u USING (plan_version_id)
    WHERE v.plan_code = :plan_code AND {key} >= :begins AND {key} < :ends
    GROUP BY 1, 2 ORDER BY 1, 2
"""
_READS = {
    "hour": text(_READ.format(at="u.hour_s", table="usage_plan_hour", key="u.hour_s")),
    "day": text(_READ.format(at="u.day", table="usage_plan_day", key="u.day")),
    "month": text(_READ.format(at="u.day / 100", table="usage_plan_day", key="u.day / 100")),
}


async def add_usage(conn: AsyncConnection, rows: Sequence[PlanRow]) -> None:
    """To the hours and to the days, in one statement."""
    columns = zip(*rows, strict=True)
    await conn.execute(_ADD, {name: array(c) for name, c in zip(_COLUMNS, columns, strict=True)})


async def read_usage(
    conn: AsyncConnection, plan_code: str, *, resolution: Resolution, begins: int, ends: int
) -> list[PlanUse]:
    """In the order of time, then of versions.

    `begins` (in) and `ends` (out) are seconds, yyyymmdd or yyyymm, as the resolution counts.
    """
    rows = await conn.execute(
        _READS[resolution], {"plan_code": plan_code, "begins": begins, "ends": ends}
    )
    return [PlanUse(*row) for row in rows]
