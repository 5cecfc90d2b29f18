"""The desired state of every supply beside the reported one."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.reconciling import Desired, Finding
from npms_shared.contracts.ledger import SupplyDesired

_DESIRE = text(
    """
    INSERT INTO supply AS s (installation_id, account_id, desired_state, desired_revision,
                             desired_reason, desired_limit_w, decided_at, next_try_at)
    VALUES (:installation_id, :account_id, :state, :revision, :reason, :limit_w, :decided_at, :now)
    ON CONFLICT (installation_id) DO UPDATE
    SET desired_state = excluded.desired_state, desired_revision = excluded.desired_revision,
        desired_reason = excluded.desired_reason, desired_limit_w = excluded.desired_limit_w,
        decided_at = excluded.decided_at,
        settled = false, attempts = 0, alarmed = false, next_try_at = excluded.next_try_at
    WHERE s.desired_revision < excluded.desired_revision
    """
)
_DUE = text(
    """
    SELECT s.installation_id, s.account_id, s.desired_state, s.desired_revision, s.desired_reason,
           s.desired_limit_w, s.attempts, s.alarmed, s.reported_state, s.reported_revision,
           s.reported_verified, s.reported_limit_w, s.reported_detail,
           i.profile, i.host, i.port, i.unit_id
    FROM supply s JOIN installation i USING (installation_id) JOIN gateway g USING (host, port)
    WHERE NOT s.settled AND s.next_try_at <= :now AND i.closed_at IS NULL AND i.port > 0
      AND (CAST(:holder AS uuid) IS NULL OR g.holder = :holder)
    ORDER BY s.desired_state = 'off', s.next_try_at LIMIT :limit
    """
)
_DESIRED = text(
    """
    SELECT desired_state, desired_revision, desired_reason, desired_limit_w
    FROM supply WHERE installation_id = :installation_id
    """
)
_POSTPONE = text(
    """
    UPDATE supply SET next_try_at = :next_try_at
    WHERE installation_id = :installation_id AND desired_revision = :revision
    """
)
_REPORT = text(
    """
    UPDATE supply
    SET settled = :settled, attempts = :attempts, alarmed = :alarmed, next_try_at = :next_try_at,
        reported_state = :state, reported_revision = :revision, reported_verified = :verified,
        reported_detail = :detail, reported_limit_w = :limit_w, reported_at = :now
    WHERE installation_id = :installation_id AND desired_revision = :revision
    """
)
_UNSETTLE = text(
    """
    UPDATE supply s SET settled = false, next_try_at = :now
    FROM unnest(CAST(:installation_ids AS bigint[]), CAST(:relays AS text[]),
                CAST(:power_w AS bigint[])) AS seen (id, relay, power_w)
    WHERE s.installation_id = seen.id AND s.settled AND seen.relay IN ('on', 'off')
      AND (seen.relay <> s.desired_state OR (seen.relay = 'off' AND seen.power_w > :idle_power_w))
    """
)


async def desire(conn: AsyncConnection, event: SupplyDesired, *, now: datetime) -> bool:
    """Take a newer revision over; False when it is not newer than the known one."""
    found = await conn.execute(
        _DESIRE,
        {
            "installation_id": event.installation_id,
            "account_id": event.account_id,
            "state": event.state,
            "revision": event.revision,
            "reason": event.reason,
            "limit_w": event.limit_w,
            "decided_at": event.decided_at,
            "now": now,
        },
    )
    return found.rowcount == 1


async def due(
    conn: AsyncConnection, *, now: datetime, limit: int, holder: UUID | None = None
) -> Sequence[Row[Any]]:
    """Supplies that are not as desired and may be tried: reconnections first.

    Only those behind a gateway that `holder` holds, where one is given.
    """
    return (await conn.execute(_DUE, {"now": now, "limit": limit, "holder": holder})).all()


async def desired(conn: AsyncConnection, installation_id: int) -> Desired | None:
    """What is desired at this moment."""
    row = (await conn.execute(_DESIRED, {"installation_id": installation_id})).one_or_none()
    return Desired(*row) if row else None


async def postpone(
    conn: AsyncConnection, installation_id: int, *, revision: int, next_try_at: datetime
) -> None:
    """Leave a supply alone until then, unless a newer revision came."""
    values = {
        "installation_id": installation_id,
        "revision": revision,
        "next_try_at": next_try_at,
    }
    await conn.execute(_POSTPONE, values)


async def report(
    conn: AsyncConnection,
    installation_id: int,
    finding: Finding,
    *,
    revision: int,
    attempts: int,
    alarmed: bool,
    settled: bool,
    next_try_at: datetime,
    now: datetime,
) -> bool:
    """Note what was found; False when a newer revision came, and nothing was noted."""
    found = await conn.execute(
        _REPORT,
        {
            "installation_id": installation_id,
            "revision": revision,
            "attempts": attempts,
            "alarmed": alarmed,
            "settled": settled,
            "next_try_at": next_try_at,
            "state": finding.state,
            "verified": finding.verified,
            "detail": finding.detail,
            "limit_w": finding.limit_w,
            "now": now,
        },
    )
    return found.rowcount == 1


async def unsettle(
    conn: AsyncConnection, columns: dict[str, list[Any]], *, idle_power_w: int, now: datetime
) -> None:
    """Take up again the supplies that a poll saw other than desired."""
    values = {key: columns[key] for key in ("installation_ids", "relays", "power_w")}
    await conn.execute(_UNSETTLE, {**values, "idle_power_w": idle_power_w, "now": now})
