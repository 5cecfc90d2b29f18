"""Energy and cost by local hour: closed hours in usage_hour, the open one in rating_state."""

from collections.abc import AsyncIterator, Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays
from npms_tariff.domain.records import Resolution, Usage
from npms_tariff.domain.state import ClosedHour

_ADD = text(
    f"""
    INSERT INTO usage_hour AS kept (installation_id, hour_s, energy_wh, amount_micro)
    SELECT * FROM unnest({arrays("installation_id", "hour_s", "energy_wh", "amount_micro")})
    ON CONFLICT (installation_id, hour_s) DO UPDATE
    SET energy_wh = kept.energy_wh + excluded.energy_wh,
        amount_micro = kept.amount_micro + excluded.amount_micro
    """  # noqa: S608 - names of this module
)

_READ = text(
    """
    SELECT min(hour_s), commodity, currency, CAST(sum(energy_wh) AS bigint),
           CAST(sum(amount_micro) AS bigint), bool_or(open)
    FROM (
        SELECT i.commodity, i.currency, i.time_zone, u.hour_s, u.energy_wh, u.amount_micro,
               false AS open
        FROM installation i JOIN usage_hour u USING (installation_id)
        WHERE i.account_id = :account_id AND u.hour_s >= :from_s AND u.hour_s < :to_s
        UNION ALL
        SELECT i.commodity, i.currency, i.time_zone, s.hour_s, s.hour_wh, s.hour_micro,
               true
        FROM installation i JOIN rating_state s USING (installation_id)
        WHERE i.account_id = :account_id AND s.hour_s >= :from_s AND s.hour_s < :to_s
          AND (s.hour_wh <> 0 OR s.hour_micro <> 0)
    ) AS used
    GROUP BY CASE WHEN :resolution = 'hour' THEN CAST(hour_s AS text)
        ELSE CAST(date_trunc(:resolution, to_timestamp(hour_s) AT TIME ZONE time_zone) AS text) END,
        commodity, currency
    ORDER BY 1, 2
    """
)


async def add_hours(conn: AsyncConnection, hours: Sequence[ClosedHour]) -> None:
    ids, begun, energy, amounts = zip(*hours, strict=True)
    await conn.execute(
        _ADD,
        {
            "installation_id": array(ids),
            "hour_s": array(begun),
            "energy_wh": array(energy),
            "amount_micro": array(amounts),
        },
    )


async def read_usage(
    conn: AsyncConnection, account_id: int, *, resolution: Resolution, from_s: int, to_s: int
) -> list[Usage]:
    """In the order of time, hours without any use left out."""
    rows = await conn.execute(
        _READ,
        {"account_id": account_id, "resolution": resolution, "from_s": from_s, "to_s": to_s},
    )
    return [Usage(*row) for row in rows]


async def stream_usage(
    conn: AsyncConnection, account_id: int, *, resolution: Resolution, from_s: int, to_s: int
) -> AsyncIterator[Usage]:
    """As `read_usage`, without holding all of it."""
    rows = await conn.stream(
        _READ,
        {"account_id": account_id, "resolution": resolution, "from_s": from_s, "to_s": to_s},
    )
    async for row in rows:
        yield Usage(*row)
