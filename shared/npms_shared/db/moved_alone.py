"""What each person has moved alone within a day: summed and added to under a lock of theirs."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.approval import DAY, has_room
from npms_shared.money import AmountsByCurrency

LOCK_SEED = 7_205_763

MOVED_ALONE_SQL = (
    """
    CREATE TABLE moved_alone (
        moved_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        subject text NOT NULL,
        currency text NOT NULL,
        amount_micro bigint NOT NULL CHECK (amount_micro > 0),
        what text NOT NULL,
        moved_at timestamptz NOT NULL
    )
    """,
    "CREATE INDEX moved_alone_subject ON moved_alone (subject, currency, moved_at)",
)
"""For a service's migration; the application may only add to it."""

_LOCK = text("SELECT pg_advisory_xact_lock(hashtextextended(:subject, :seed))")
_MOVED = text(
    """
    SELECT CAST(coalesce(sum(amount_micro), 0) AS bigint) FROM moved_alone
    WHERE subject = :subject AND currency = :currency AND moved_at > :since
    """
)
_ADD = text(
    """
    INSERT INTO moved_alone (subject, currency, amount_micro, what, moved_at)
    VALUES (:subject, :currency, :amount_micro, :what, :now)
    """
)


async def move_alone(
    conn: AsyncConnection,
    subject: str,
    amount_micro: int,
    currency: str,
    *,
    what: str,
    limits: AmountsByCurrency,
    now: datetime,
) -> bool:
    """Whether a person may move this without another; if so it is counted, for a day.

    Two requests of one person are counted one after the other, so that both at once pass no limit
    that one after the other would not. Take it after the locks of accounts.
    """
    if not amount_micro:
        return True
    await conn.execute(_LOCK, {"subject": subject, "seed": LOCK_SEED})
    key = {"subject": subject, "currency": currency}
    found = await conn.execute(_MOVED, {**key, "since": now - DAY})
    if not has_room(limits, amount_micro, currency, moved_micro=found.scalar_one()):
        return False
    added = {"amount_micro": abs(amount_micro), "what": what, "now": now}
    await conn.execute(_ADD, {**key, **added})
    return True
