"""Energy and cost by local hour, day and month: what is over in tables of its own, what is open
in rating_state."""

from collections.abc import Sequence

from sqlalchemy import TextClause, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays
from npms_tariff.domain.records import Resolution, Usage
from npms_tariff.domain.state import ClosedDay, ClosedHour, ClosedMonth


def _adding(table: str, at: str) -> TextClause:
    """What is there already is added to: a correction of the past is a row more."""
    return text(
        f"""
        INSERT INTO {table} AS kept (installation_id, {at}, energy_wh, amount_micro)
        SELECT * FROM unnest({arrays("installation_id", "at", "energy_wh", "amount_micro")})
        ON CONFLICT (installation_id, {at}) DO UPDATE
        SET energy_wh = kept.energy_wh + excluded.energy_wh,
            amount_micro = kept.amount_micro + excluded.amount_micro
        """  # noqa: S608 - names of this module
    )


def _reading(table: str, at: str, *, open_wh: str, open_micro: str) -> TextClause:
    return text(
        f"""
        SELECT at, commodity, currency, CAST(sum(energy_wh) AS bigint),
               CAST(sum(amount_micro) AS bigint), bool_or(open)
        FROM (
            SELECT i.commodity, i.currency, u.{at} AS at, u.energy_wh, u.amount_micro,
                   false AS open
            FROM installation i JOIN {table} u USING (installation_id)
            WHERE i.account_id = :account_id AND u.{at} >= :begins AND u.{at} < :ends
            UNION ALL
            SELECT i.commodity, i.currency, s.{at}, {open_wh}, {open_micro}, true
            FROM installation i JOIN rating_state s USING (installation_id)
            WHERE i.account_id = :account_id AND s.{at} >= :begins AND s.{at} < :ends
              AND ({open_wh} <> 0 OR {open_micro} <> 0)
        ) AS used
        GROUP BY at, commodity, currency ORDER BY at, commodity, currency
        """  # noqa: S608 - names of this module
    )


_ADD_HOURS = _adding("usage_hour", "hour_s")
_ADD_DAYS = _adding("usage_day", "day_s")
_ADD_MONTHS = _adding("usage_month", "month")
_READ: dict[Resolution, TextClause] = {
    "hour": _reading("usage_hour", "hour_s", open_wh="s.hour_wh", open_micro="s.hour_micro"),
    "day": _reading(
        "usage_day",
        "day_s",
        open_wh="s.day_wh + s.hour_wh",
        open_micro="s.day_micro + s.hour_micro",
    ),
    "month": _reading(
        "usage_month",
        "month",
        open_wh="s.month_wh + s.day_wh + s.hour_wh",
        open_micro="s.month_micro + s.day_micro + s.hour_micro",
    ),
}


async def add_hours(conn: AsyncConnection, hours: Sequence[ClosedHour]) -> None:
    await _add(conn, _ADD_HOURS, hours)


async def add_days(conn: AsyncConnection, days: Sequence[ClosedDay]) -> None:
    await _add(conn, _ADD_DAYS, days)


async def add_months(conn: AsyncConnection, months: Sequence[ClosedMonth]) -> None:
    await _add(conn, _ADD_MONTHS, months)


async def _add(
    conn: AsyncConnection, statement: TextClause, rows: Sequence[tuple[int, int, int, int]]
) -> None:
    ids, at, energy, amounts = zip(*rows, strict=True)
    await conn.execute(
        statement,
        {
            "installation_id": array(ids),
            "at": array(at),
            "energy_wh": array(energy),
            "amount_micro": array(amounts),
        },
    )


async def read_usage(
    conn: AsyncConnection, account_id: int, *, resolution: Resolution, begins: int, ends: int
) -> list[Usage]:
    """In the order of time, what is open included; stretches without any use are left out.

    `begins` (in) and `ends` (out) are seconds, by month year x 100 + month.
    """
    rows = await conn.execute(
        _READ[resolution], {"account_id": account_id, "begins": begins, "ends": ends}
    )
    return [Usage(*row) for row in rows]
