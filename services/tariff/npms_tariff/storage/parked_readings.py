"""Readings that could not be rated, kept with the reason."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import ParkedReading

Parked = tuple[int, int, int, int, str]
"""(installation, account, taken at in seconds, register in Wh, reason)"""


_ADD = text(
    """
    INSERT INTO parked_reading (installation_id, account_id, taken_at_s, register_wh, reason,
                                parked_at)
    SELECT installation_id, account_id, taken_at_s, register_wh, reason, :parked_at
    FROM unnest(
        CAST(:installation_id AS bigint[]), CAST(:account_id AS bigint[]),
        CAST(:taken_at_s AS bigint[]), CAST(:register_wh AS bigint[]), CAST(:reason AS text[])
    ) AS p (installation_id, account_id, taken_at_s, register_wh, reason)
    """
)
_COUNT = text(
    """
    UPDATE rating_state AS s SET readings_parked = s.readings_parked + p.n
    FROM (SELECT id, count(*) AS n FROM unnest(CAST(:ids AS bigint[])) AS id GROUP BY id) AS p
    WHERE s.installation_id = p.id
    """
)

_LIST_PARKED = text(
    """
    SELECT parked_reading_id, installation_id, account_id, taken_at_s, register_wh, reason,
           parked_at
    FROM parked_reading
    WHERE (CAST(:before AS bigint) IS NULL OR parked_reading_id < :before)
      AND (CAST(:installation_id AS bigint) IS NULL
           OR installation_id = :installation_id)
    ORDER BY parked_reading_id DESC LIMIT :limit
    """
)


async def add_parked(conn: AsyncConnection, parked: Sequence[Parked], *, at: datetime) -> None:
    """Keep them, and count those of known installations."""
    ids, accounts, taken, registers, reasons = zip(*parked, strict=True)
    await conn.execute(
        _ADD,
        {
            "installation_id": ids,
            "account_id": accounts,
            "taken_at_s": taken,
            "register_wh": registers,
            "reason": reasons,
            "parked_at": at,
        },
    )
    await conn.execute(_COUNT, {"ids": ids})


async def list_parked(
    conn: AsyncConnection, *, before: int | None, limit: int, installation_id: int | None
) -> list[ParkedReading]:
    """The newest first."""
    rows = await conn.execute(
        _LIST_PARKED, {"before": before, "limit": limit, "installation_id": installation_id}
    )
    return [ParkedReading(*row) for row in rows]
