"""What people decided of relays that are left alone: kept for ever."""

from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    """
    INSERT INTO switching_decision (installation_id, decision, by_subject, reason, decided_at)
    VALUES (:installation_id, :decision, :by, :reason, :at)
    """
)


async def add_decision(
    conn: AsyncConnection,
    decision: str,
    *,
    installation_id: int | None,
    by: str,
    reason: str,
    at: datetime,
) -> None:
    """`installation_id` is None where it concerns all of them."""
    values = {
        "installation_id": installation_id,
        "decision": decision,
        "by": by,
        "reason": reason,
        "at": at,
    }
    await conn.execute(_ADD, values)
