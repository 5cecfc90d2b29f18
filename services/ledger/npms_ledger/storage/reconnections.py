"""How long each customer waited from payment to supply."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_BEGIN = text(
    """
    INSERT INTO reconnection (reconnection_id, account_id, installation_id, revision, payment_id,
                              settled_at, heard_at, credited_at, desired_at)
    SELECT :reconnection_id, i.account_id, i.installation_id, :revision, :payment_id,
           :settled_at, :now, :now, :now
    FROM installation i JOIN known_profile k USING (profile)
    WHERE i.installation_id = :installation_id AND k.has_relay
    """
)
_CLOSED = text(
    """
    UPDATE reconnection SET verified_at = :observed_at
    WHERE installation_id = :installation_id AND revision <= :revision
      AND verified_at IS NULL AND superseded_at IS NULL
    RETURNING settled_at, verified_at
    """
)
_SUPERSEDE = text(
    """
    UPDATE reconnection SET superseded_at = :now
    WHERE installation_id = ANY(CAST(:installation_ids AS bigint[]))
      AND verified_at IS NULL AND superseded_at IS NULL
    """
)
_IS_OPEN = text(
    """
    SELECT 1 FROM reconnection
    WHERE installation_id = :installation_id AND verified_at IS NULL AND superseded_at IS NULL
    """
)
_PAGE = text(
    """
    SELECT r.*, coalesce(r.verified_at, r.superseded_at, :now) - r.settled_at
                    > make_interval(secs => :limit_s) AS breached
    FROM reconnection r
    WHERE (CAST(:before AS uuid) IS NULL OR r.reconnection_id < :before)
      AND (CAST(:account_id AS bigint) IS NULL OR r.account_id = :account_id)
      AND (CAST(:breached AS boolean) IS NULL OR :breached =
           (coalesce(r.verified_at, r.superseded_at, :now) - r.settled_at
                > make_interval(secs => :limit_s)))
    ORDER BY r.reconnection_id DESC LIMIT :limit
    """
)


async def begin(conn: AsyncConnection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Rows: reconnection_id, installation_id, revision, payment_id, settled_at. A meter without
    a relay was never cut and is left out.
    """
    await conn.execute(_BEGIN, [{**row, "now": now} for row in rows])


async def close(
    conn: AsyncConnection, installation_id: int, *, revision: int, observed_at: datetime
) -> Sequence[Row[Any]]:
    """The relay was seen closed for this revision; returns (settled_at, verified_at) of what that
    ended.
    """
    rows = await conn.execute(
        _CLOSED,
        {
            "installation_id": installation_id,
            "revision": revision,
            "observed_at": observed_at,
        },
    )
    return rows.all()


async def is_open(conn: AsyncConnection, installation_id: int) -> bool:
    """Whether somebody waits for this supply to come back."""
    rows = await conn.execute(_IS_OPEN, {"installation_id": installation_id})
    return rows.first() is not None


async def supersede(
    conn: AsyncConnection, installation_ids: Collection[int], now: datetime
) -> None:
    """Supply was cut again before it was seen closed."""
    await conn.execute(_SUPERSEDE, {"installation_ids": list(installation_ids), "now": now})


async def page(
    conn: AsyncConnection,
    *,
    before: UUID | None,
    limit: int,
    limit_s: int,
    now: datetime,
    breached: bool | None = None,
    account_id: int | None = None,
) -> Sequence[Row[Any]]:
    """Newest first; `breached` filters by whether more than `limit_s` passed, None is all."""
    rows = await conn.execute(
        _PAGE,
        {
            "before": before,
            "limit": limit,
            "limit_s": limit_s,
            "now": now,
            "breached": breached,
            "account_id": account_id,
        },
    )
    return rows.all()
