"""By what an installation's registers are reckoned, from when on, and who is under suspicion."""

from collections.abc import Sequence
from datetime import datetime
from fractions import Fraction

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.reckoning import PLAIN, DecidedReckoning, Reckoning
from npms_meter_gateway.storage.readings import reckoning_in

_ADD = text(
    """
    INSERT INTO reckoning (installation_id, from_at, raw_wh, base_wh, ratio, by_subject, reason,
                           decided_at)
    VALUES (:installation_id, to_timestamp(:from_s), :raw_wh, :base_wh, CAST(:ratio AS numeric),
            :by, :reason, :at)
    ON CONFLICT DO NOTHING RETURNING 1
    """
)
_AT = text(
    """
    SELECT raw_wh, base_wh, ratio FROM reckoning
    WHERE installation_id = :installation_id AND from_at <= to_timestamp(:at_s)
    ORDER BY from_at DESC LIMIT 1
    """
)
_LIST = text(
    """
    SELECT from_at, raw_wh, base_wh, ratio, by_subject, reason, decided_at FROM reckoning
    WHERE installation_id = :installation_id ORDER BY from_at
    """
)
_SUSPECT = text(
    """
    INSERT INTO suspicion (installation_id, detail, since)
    VALUES (:installation_id, :detail, :since) ON CONFLICT DO NOTHING RETURNING 1
    """
)
_CLEAR = text("DELETE FROM suspicion WHERE installation_id = :installation_id RETURNING 1")


async def add_reckoning(
    conn: AsyncConnection,
    installation_id: int,
    reckoning: Reckoning,
    *,
    from_s: int,
    by: str,
    reason: str,
    at: datetime,
) -> bool:
    """False where another begins at the same second."""
    found = await conn.execute(
        _ADD,
        {
            "installation_id": installation_id,
            "from_s": from_s,
            "raw_wh": reckoning.raw_wh,
            "base_wh": reckoning.base_wh,
            "ratio": exact(reckoning.ratio),
            "by": by,
            "reason": reason,
            "at": at,
        },
    )
    return found.first() is not None


def exact(ratio: Fraction) -> str:
    """The decimal text of a fraction that has one."""
    numerator, denominator = ratio.numerator, ratio.denominator
    decimals = 0
    while numerator * 10**decimals % denominator:
        decimals += 1
    digits = str(numerator * 10**decimals // denominator).rjust(decimals + 1, "0")
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


async def reckoning_at(conn: AsyncConnection, installation_id: int, at_s: int) -> Reckoning:
    """The one in force at a second."""
    values = {"installation_id": installation_id, "at_s": at_s}
    row = (await conn.execute(_AT, values)).one_or_none()
    return PLAIN if row is None else reckoning_in(row)


async def list_reckonings(
    conn: AsyncConnection, installation_id: int
) -> Sequence[DecidedReckoning]:
    """In the order of their time."""
    rows = await conn.execute(_LIST, {"installation_id": installation_id})
    return [DecidedReckoning(**row._mapping) for row in rows]


async def suspect(
    conn: AsyncConnection, installation_id: int, *, detail: str, since: datetime
) -> bool:
    """False where it was under suspicion already."""
    values = {"installation_id": installation_id, "detail": detail, "since": since}
    return (await conn.execute(_SUSPECT, values)).first() is not None


async def clear(conn: AsyncConnection, installation_id: int) -> bool:
    """False where it was not under suspicion."""
    found = await conn.execute(_CLEAR, {"installation_id": installation_id})
    return found.first() is not None
