"""Desired and reported state of each installation's supply."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_CHANGE = text(
    """
    UPDATE supply s
    SET state = d.state, revision = s.revision + 1, reason = d.reason, limit_w = d.limit_w,
        decided_at = :now
    FROM unnest(CAST(:account_ids AS bigint[]), CAST(:states AS supply_state[]),
                CAST(:reasons AS text[]), CAST(:limits_w AS bigint[]))
             AS d (account_id, state, reason, limit_w),
         installation i
    WHERE s.account_id = d.account_id AND i.installation_id = s.installation_id
      AND i.closed_at IS NULL AND (s.state, s.limit_w) IS DISTINCT FROM (d.state, d.limit_w)
    RETURNING s.installation_id, s.account_id, s.state, s.revision, s.reason, s.limit_w
    """
)
_FIRST = text(
    """
    INSERT INTO supply (installation_id, account_id, state, revision, reason, limit_w, decided_at)
    VALUES (:installation_id, :account_id, :state, 1, :reason, :limit_w, :now)
    """
)
_REPORT = text(
    """
    UPDATE supply
    SET reported_state = :state, reported_revision = :revision, verified = :verified,
        reported_limit_w = :limit_w, observed_at = :observed_at, detail = :detail,
        awaits = :awaits, blocked_by = :blocked_by
    WHERE installation_id = :installation_id
      AND (observed_at IS NULL OR observed_at <= :observed_at)
    """
)
_KNOWN = text("SELECT 1 FROM supply WHERE installation_id = :installation_id")
_OF_ACCOUNT = text("SELECT * FROM supply WHERE account_id = :account_id ORDER BY installation_id")

ChangeRow = tuple[int, str, str, int | None]
"""(account_id, state, reason, limit_w)"""


async def change(
    conn: AsyncConnection, rows: Sequence[ChangeRow], now: datetime
) -> Sequence[Row[Any]]:
    """Give every open installation of the accounts its new desired state, under a new revision.

    Returns what changed: (installation_id, account_id, state, revision, reason, limit_w).
    """
    account_ids, states, reasons, limits_w = map(list, zip(*rows, strict=True))
    changed = await conn.execute(
        _CHANGE,
        {
            "account_ids": account_ids,
            "states": states,
            "reasons": reasons,
            "limits_w": limits_w,
            "now": now,
        },
    )
    return changed.all()


async def insert(
    conn: AsyncConnection,
    installation_id: int,
    *,
    account_id: int,
    state: str,
    reason: str,
    limit_w: int | None,
    now: datetime,
) -> None:
    """The first desired state, revision 1."""
    await conn.execute(
        _FIRST,
        {
            "installation_id": installation_id,
            "account_id": account_id,
            "state": state,
            "reason": reason,
            "limit_w": limit_w,
            "now": now,
        },
    )


async def report(
    conn: AsyncConnection,
    installation_id: int,
    *,
    state: str,
    revision: int | None,
    verified: bool,
    observed_at: datetime,
    detail: str,
    limit_w: int | None = None,
    awaits: str = "",
    blocked_by: str = "",
) -> bool:
    """What the relay was seen to be; an older sight does not replace a newer one.

    False where there is no such supply.
    """
    done = await conn.execute(
        _REPORT,
        {
            "installation_id": installation_id,
            "state": state,
            "revision": revision,
            "verified": verified,
            "observed_at": observed_at,
            "detail": detail,
            "limit_w": limit_w,
            "awaits": awaits,
            "blocked_by": blocked_by,
        },
    )
    if done.rowcount:
        return True
    known = await conn.execute(_KNOWN, {"installation_id": installation_id})
    return known.first() is not None


async def of_account(conn: AsyncConnection, account_id: int) -> Sequence[Row[Any]]:
    return (await conn.execute(_OF_ACCOUNT, {"account_id": account_id})).all()
