"""What a look ahead needs: who is on, and how much each used lately."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ON = text(
    """
    SELECT p.account_id, coalesce((
        SELECT bool_and(k.can_limit) FROM installation i JOIN known_profile k USING (profile)
        WHERE i.account_id = p.account_id AND i.closed_at IS NULL), false) AS can_limit
    FROM position p JOIN account a USING (account_id)
    WHERE p.account_id > :after AND p.supply_on AND NOT p.closed
      AND (CAST(:policy_code AS text) IS NULL OR a.policy_code = :policy_code)
    ORDER BY p.account_id LIMIT :limit
    """
)
_USED = text(
    """
    SELECT u.account_id, -sum(c.amount_micro) AS amount_micro,
           extract(epoch FROM max(c.to_at) - min(c.from_at))::bigint AS seconds
    FROM unnest(CAST(:account_ids AS bigint[])) AS u (account_id) CROSS JOIN LATERAL (
        SELECT amount_micro, from_at, to_at FROM posting p
        WHERE p.account_id = u.account_id AND p.kind = 'charge'
        ORDER BY p.seq DESC LIMIT :most) c
    WHERE c.to_at > :since GROUP BY u.account_id
    """
)


async def supplied(
    conn: AsyncConnection, *, after: int, limit: int, policy_code: str | None
) -> Sequence[Row[Any]]:
    """(account_id, can_limit) of accounts whose supply is on, with ids above `after`."""
    rows = await conn.execute(_ON, {"after": after, "limit": limit, "policy_code": policy_code})
    return rows.all()


async def used(
    conn: AsyncConnection, account_ids: Collection[int], *, since: datetime, most: int
) -> dict[int, tuple[int, int]]:
    """(amount_micro, seconds) that each was charged for since then, of its last `most` charges."""
    rows = await conn.execute(
        _USED, {"account_ids": list(account_ids), "since": since, "most": most}
    )
    return {row.account_id: (int(row.amount_micro), row.seconds) for row in rows}
