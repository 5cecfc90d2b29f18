"""How fast an account has been using its balance."""

from datetime import datetime, timedelta

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_RECENT = text(
    """
    SELECT coalesce(sum(-c.amount_micro), 0) AS amount_micro, min(c.from_at) AS begins,
           max(c.to_at) AS ends
    FROM (SELECT amount_micro, from_at, to_at, kind FROM posting
          WHERE account_id = :account_id ORDER BY seq DESC LIMIT :limit) AS c
    WHERE c.kind = 'charge' AND c.from_at >= :since
    """
)


async def recent(
    conn: AsyncConnection, account_id: int, *, since: datetime, limit: int
) -> tuple[int, timedelta]:
    """(charged micro-units, time they span) of the newest postings since then."""
    row = (
        await conn.execute(_RECENT, {"account_id": account_id, "since": since, "limit": limit})
    ).one()
    span = timedelta(0) if row.begins is None else row.ends - row.begins
    return int(row.amount_micro), span
