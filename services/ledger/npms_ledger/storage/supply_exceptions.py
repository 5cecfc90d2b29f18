"""Supplies that are not proven to be as desired: what that costs, and who waits."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_PAGE = text(
    """
    SELECT s.installation_id, s.account_id, s.state AS desired, s.revision, s.reason,
           s.decided_at AS since, s.reported_state, s.verified, s.observed_at, s.awaits,
           s.blocked_by, s.detail,
           k.has_relay, a.currency, r.settled_at, coalesce(used.amount_micro, 0) AS exposure_micro
    FROM supply s
    JOIN installation i USING (installation_id)
    JOIN account a ON a.account_id = s.account_id
    JOIN known_profile k USING (profile)
    LEFT JOIN reconnection r ON r.installation_id = s.installation_id
        AND r.verified_at IS NULL AND r.superseded_at IS NULL
    LEFT JOIN LATERAL (
        SELECT -sum(c.amount_micro)::bigint AS amount_micro FROM (
            SELECT amount_micro, to_at, installation_id FROM posting p
            WHERE p.account_id = s.account_id AND p.kind = 'charge'
            ORDER BY p.seq DESC LIMIT :most) c
        WHERE c.installation_id = s.installation_id AND c.to_at > s.decided_at
    ) used ON s.state = 'off'
    WHERE i.closed_at IS NULL AND s.decided_at <= :decided_before
      AND (s.reported_revision, s.reported_state, s.verified)
          IS DISTINCT FROM (s.revision, s.state, true)
      AND (s.state = 'off' OR r.reconnection_id IS NOT NULL)
      AND (CAST(:desired AS supply_state) IS NULL OR s.state = :desired)
      AND s.installation_id > :after
    ORDER BY s.installation_id LIMIT :limit
    """
)


async def page(
    conn: AsyncConnection,
    *,
    decided_before: datetime,
    desired: str | None,
    after: int,
    limit: int,
    most: int,
) -> Sequence[Row[Any]]:
    """By installation, above `after`. Exposure is what was charged up to times after the cut was
    desired, of the account's last `most` charges.
    """
    values = {
        "decided_before": decided_before,
        "desired": desired,
        "after": after,
        "limit": limit,
        "most": most,
    }
    return (await conn.execute(_PAGE, values)).all()
