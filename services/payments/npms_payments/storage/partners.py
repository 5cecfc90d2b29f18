"""What partners may sell in a day, and have sold."""

from datetime import date, datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_BEGIN_DAY = text(
    """
    INSERT INTO partner_day (partner_id, currency, day) VALUES (:partner_id, :currency, :day)
    ON CONFLICT DO NOTHING
    """
)
_LOCK_DAY = text(
    """
    SELECT sold_micro FROM partner_day
    WHERE partner_id = :partner_id AND currency = :currency AND day = :day FOR UPDATE
    """
)
_SOLD = text(
    """
    SELECT sold_micro FROM partner_day
    WHERE partner_id = :partner_id AND currency = :currency AND day = :day
    """
)
_ADD = text(
    """
    UPDATE partner_day SET sold_micro = sold_micro + :amount_micro
    WHERE partner_id = :partner_id AND currency = :currency AND day = :day
    """
)
_LIMIT = text(
    """
    SELECT day_limit_micro FROM partner_limit
    WHERE partner_id = :partner_id AND currency = :currency ORDER BY version DESC LIMIT 1
    """
)
_SET = text(
    """
    INSERT INTO partner_limit (partner_id, currency, version, day_limit_micro, reason, set_at,
                               set_by)
    SELECT :partner_id, :currency, coalesce(max(version), 0) + 1, :day_limit_micro, :reason,
           :set_at, :set_by
    FROM partner_limit WHERE partner_id = :partner_id AND currency = :currency
    """
)


async def lock_sold(conn: AsyncConnection, partner_id: str, currency: str, day: date) -> int:
    """What was sold on a day, in micro-units; nobody else sells for this partner until the
    transaction ends.
    """
    key = {"partner_id": partner_id, "currency": currency, "day": day}
    await conn.execute(_BEGIN_DAY, key)
    return int((await conn.execute(_LOCK_DAY, key)).scalar_one())


async def sold(conn: AsyncConnection, partner_id: str, currency: str, day: date) -> int:
    key = {"partner_id": partner_id, "currency": currency, "day": day}
    return int((await conn.execute(_SOLD, key)).scalar() or 0)


async def add_sold(
    conn: AsyncConnection, partner_id: str, currency: str, day: date, *, amount_micro: int
) -> None:
    key = {"partner_id": partner_id, "currency": currency, "day": day}
    await conn.execute(_ADD, {**key, "amount_micro": amount_micro})


async def day_limit(conn: AsyncConnection, partner_id: str, currency: str) -> int | None:
    """The limit that a partner was given, None where none was."""
    key = {"partner_id": partner_id, "currency": currency}
    found: int | None = (await conn.execute(_LIMIT, key)).scalar()
    return found


async def set_day_limit(
    conn: AsyncConnection,
    partner_id: str,
    currency: str,
    *,
    day_limit_micro: int,
    reason: str,
    at: datetime,
    by: str,
) -> None:
    """Every limit there was is kept, with who set it, when and why."""
    await conn.execute(
        _SET,
        {
            "partner_id": partner_id,
            "currency": currency,
            "day_limit_micro": day_limit_micro,
            "reason": reason,
            "set_at": at,
            "set_by": by,
        },
    )
