"""The desired state of every supply beside the reported one."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.reconciling import Desired, Finding
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.domain.supplies import DueSupply, Supply
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
        settled = false, attempts = 0, alarmed = false, next_try_at = excluded.next_try_at,
        awaits = '', blocked_by = '', suspended_since = NULL, moved_at = NULL, renew_at = NULL
    WHERE s.desired_revision < excluded.desired_revision
    """
)
_DUE = text(
    """
    SELECT s.*, i.profile, i.host, i.port, i.unit_id,
           coalesce(nullif(g.site, ''), i.host || ':' || i.port) AS place,
           s.settled AND s.renew_at <= :now AS renews, p.detail AS suspicion, r.serial,
           EXISTS (SELECT FROM supply_command c
                   WHERE c.installation_id = s.installation_id AND c.what = 'relay'
                     AND c.revision = s.desired_revision AND c.answer = 'acknowledged'
           ) AS commanded,
           EXISTS (SELECT FROM supply_command c
                   WHERE c.installation_id = s.installation_id AND c.closed_at IS NULL) AS has_open,
           EXISTS (SELECT FROM alarm a
                   WHERE a.installation_id = s.installation_id AND a.cleared_at IS NULL
                     AND a.kind IN ('relay_stuck', 'relay_welded', 'relay_moved', 'no_relay')
           ) AS has_alarm
    FROM supply s JOIN installation i USING (installation_id) JOIN gateway g USING (host, port)
    LEFT JOIN suspicion p USING (installation_id)
    LEFT JOIN meter_round r USING (installation_id)
    WHERE ((NOT s.settled AND s.next_try_at <= :now) OR (s.settled AND s.renew_at <= :now))
      AND (CAST(:holder AS uuid) IS NULL OR g.holder = :holder)
      AND s.desired_state = :state AND i.closed_at IS NULL AND i.port > 0
      AND s.installation_id <> ALL (CAST(:busy AS bigint[]))
      AND coalesce(nullif(g.site, ''), i.host || ':' || i.port) <> ALL (CAST(:full AS text[]))
    ORDER BY s.attempts > 0, s.desired_reason <> 'in_credit', s.reported_at NULLS LAST,
             s.next_try_at, s.installation_id
    LIMIT :limit
    """
)
_PUSHED = text(
    """
    SELECT s.* FROM supply s JOIN installation i USING (installation_id)
    WHERE installation_id = :installation_id AND i.port = 0 AND i.closed_at IS NULL
      AND s.blocked_by <> 'pushed'
    """
)
_REVISION = text("SELECT desired_revision FROM supply WHERE installation_id = :installation_id")
_POSTPONE = text(
    """
    UPDATE supply
    SET next_try_at = :next_try_at, suspended_since = coalesce(suspended_since, :now),
        renew_at = CASE WHEN settled THEN CAST(:next_try_at AS timestamptz) ELSE renew_at END
    WHERE installation_id = :installation_id AND desired_revision = :revision
    """
)
_SUSPEND = text(
    """
    UPDATE supply SET awaits = 'link'
    WHERE installation_id = :installation_id AND desired_revision = :revision AND NOT settled
      AND awaits <> 'link'
    """
)
_BLOCK = text(
    """
    WITH was AS (
        SELECT installation_id, blocked_by FROM supply
        WHERE installation_id = :installation_id AND desired_revision = :revision FOR UPDATE
    )
    UPDATE supply s SET blocked_by = :by, settled = false, next_try_at = :next_try_at
    FROM was WHERE s.installation_id = was.installation_id
    RETURNING was.blocked_by <> :by
    """
)
_TAKE_UP = text(
    """
    UPDATE supply
    SET settled = false, next_try_at = :now,
        reported_state = CASE WHEN NOT :afresh THEN reported_state END,
        reported_revision = CASE WHEN NOT :afresh THEN reported_revision END,
        reported_verified = CASE WHEN NOT :afresh THEN reported_verified END
    WHERE installation_id = :installation_id
    """
)
_FORGET_MOVED = text(
    """
    UPDATE supply SET moved_at = NULL, next_try_at = :now
    WHERE installation_id = :installation_id AND moved_at IS NOT NULL
    """
)
_REPORT = text(
    """
    UPDATE supply
    SET settled = :settled, attempts = :attempts, alarmed = :alarmed, next_try_at = :next_try_at,
        reported_state = :state, reported_revision = :revision, reported_verified = :verified,
        reported_detail = :detail, reported_limit_w = :limit_w, reported_at = :now,
        awaits = :awaits, blocked_by = :blocked_by, renew_at = :renew_at, suspended_since = NULL,
        moved_at = CASE WHEN :moved THEN coalesce(moved_at, :now) END
    WHERE installation_id = :installation_id AND desired_revision = :revision
    """
)
_SAW = text(
    """
    UPDATE supply s SET settled = false, next_try_at = :now
    FROM unnest(CAST(:installation_ids AS bigint[]), CAST(:relays AS text[]),
                CAST(:power_w AS bigint[])) AS seen (id, relay, power_w)
    WHERE s.installation_id = seen.id AND (
        (s.settled AND seen.relay IN ('on', 'off') AND seen.relay <> s.desired_state)
        OR (s.settled AND s.reported_verified AND s.desired_state = 'off'
            AND coalesce(seen.relay, 'off') = 'off' AND seen.power_w > :idle_power_w)
        OR (s.settled AND s.awaits = 'power' AND seen.power_w > :idle_power_w)
        OR (NOT s.settled AND s.awaits = 'customer' AND seen.relay = s.desired_state)
        OR (NOT s.settled AND s.suspended_since IS NOT NULL AND s.next_try_at > :now)
    )
    """
)


@dataclass(frozen=True, slots=True)
class Note:
    """How a supply is left: settled, or to be tried again, or to be opened anew at `renew_at`.

    `moved`: somebody else moved its relay, which was not brought back yet.
    """

    attempts: int
    alarmed: bool
    settled: bool
    next_try_at: datetime
    renew_at: datetime | None = None
    moved: bool = False


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
    conn: AsyncConnection,
    state: State,
    *,
    now: datetime,
    limit: int,
    holder: UUID | None = None,
    busy: Collection[int] = (),
    full: Collection[str] = (),
) -> Sequence[DueSupply]:
    """Supplies that should be `state`, are not, and may be tried; not those that are `busy`, nor
    those of the places that are `full`. Only those behind a gateway that `holder` holds, where one
    is given.

    Untried ones come first, of those the ones that are in credit again, the longest so first.
    """
    values = {
        "state": state,
        "now": now,
        "limit": limit,
        "holder": holder,
        "busy": list(busy),
        "full": list(full),
    }
    return [_due(row) for row in await conn.execute(_DUE, values)]


def _due(row: Row[Any]) -> DueSupply:
    return DueSupply(
        installation_id=row.installation_id,
        account_id=row.account_id,
        desired=_desired(row),
        decided_at=row.decided_at,
        attempts=row.attempts,
        alarmed=row.alarmed,
        reported=(
            row.reported_revision,
            row.reported_state,
            row.reported_verified,
            row.reported_limit_w,
            row.awaits,
            row.blocked_by,
        ),
        profile=row.profile,
        place=row.place,
        commanded=row.commanded,
        has_open=row.has_open,
        has_alarm=row.has_alarm,
        renews=row.renews,
        moved=row.moved_at is not None,
        suspicion=row.suspicion,
        serial=row.serial,
    )


def _desired(row: Row[Any]) -> Desired:
    return Desired(row.desired_state, row.desired_revision, row.desired_reason, row.desired_limit_w)


async def unreachable(conn: AsyncConnection, installation_id: int) -> Supply | None:
    """What is desired of a meter that sends its readings, where that was not told yet."""
    found = await conn.execute(_PUSHED, {"installation_id": installation_id})
    row = found.one_or_none()
    return None if row is None else Supply(row.installation_id, row.account_id, _desired(row))


async def desired_revision(conn: AsyncConnection, installation_id: int) -> int | None:
    """Which revision is desired at this moment."""
    found = await conn.execute(_REVISION, {"installation_id": installation_id})
    return found.scalar_one_or_none()


async def postpone(
    conn: AsyncConnection,
    installation_id: int,
    *,
    revision: int,
    next_try_at: datetime,
    now: datetime,
) -> None:
    """Leave a supply alone until then, unless a newer revision came."""
    values = {
        "installation_id": installation_id,
        "revision": revision,
        "next_try_at": next_try_at,
        "now": now,
    }
    await conn.execute(_POSTPONE, values)


async def suspend(conn: AsyncConnection, installation_id: int, *, revision: int) -> bool:
    """Its link is what it waits for; False when that was known, or a newer revision came."""
    values = {"installation_id": installation_id, "revision": revision}
    return (await conn.execute(_SUSPEND, values)).rowcount == 1


async def block(
    conn: AsyncConnection, installation_id: int, *, by: str, revision: int, next_try_at: datetime
) -> bool:
    """Leave it alone until then for this cause, what was last seen of it kept; False when the
    cause was known, or a newer revision came.
    """
    values = {
        "installation_id": installation_id,
        "by": by,
        "revision": revision,
        "next_try_at": next_try_at,
    }
    return (await conn.execute(_BLOCK, values)).scalar_one_or_none() is True


async def take_up(
    conn: AsyncConnection, installation_id: int, *, now: datetime, afresh: bool = False
) -> None:
    """Look at it at once; `afresh` where what was seen before is of another meter."""
    values = {"installation_id": installation_id, "now": now, "afresh": afresh}
    await conn.execute(_TAKE_UP, values)


async def forget_moved(conn: AsyncConnection, installation_id: int, *, now: datetime) -> bool:
    """Work it at once, although somebody moved it; False where nobody has."""
    values = {"installation_id": installation_id, "now": now}
    return (await conn.execute(_FORGET_MOVED, values)).rowcount == 1


async def report(
    conn: AsyncConnection,
    installation_id: int,
    finding: Finding,
    note: Note,
    *,
    revision: int,
    now: datetime,
) -> bool:
    """Note what was found; False when a newer revision came, and nothing was noted."""
    found = await conn.execute(
        _REPORT,
        {
            "installation_id": installation_id,
            "revision": revision,
            "attempts": note.attempts,
            "alarmed": note.alarmed,
            "settled": note.settled,
            "next_try_at": note.next_try_at,
            "renew_at": note.renew_at,
            "moved": note.moved,
            "state": finding.state,
            "verified": finding.verified,
            "detail": finding.detail,
            "limit_w": finding.limit_w,
            "awaits": finding.awaits,
            "blocked_by": finding.blocked_by,
            "now": now,
        },
    )
    return found.rowcount == 1


async def unsettle(
    conn: AsyncConnection, columns: dict[str, list[Any]], *, idle_power_w: int, now: datetime
) -> None:
    """Take up at once what a poll saw other than desired or reported, and what waited for its
    meter to be heard again.
    """
    values = {key: columns[key] for key in ("installation_ids", "relays", "power_w")}
    await conn.execute(_SAW, {**values, "idle_power_w": idle_power_w, "now": now})
