"""Mass cuts that wait for a person, and the accounts on each list."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

LOCK = 7_205_761
"""Advisory lock under which cuts are counted and lists joined and left: no two transactions pass
together, and no list lapses that another is joining. Taken after positions, before seals.
"""

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_WAITING_SINCE = text(
    """
    SELECT h.policy_code, count(*) AS held FROM held_cut h JOIN mass_cut m USING (mass_cut_id)
    WHERE h.left_at IS NULL AND m.state = 'waiting' AND h.held_at > :since
    GROUP BY h.policy_code
    """
)
_SIZE = text(
    """
    SELECT count(*) FROM (
        SELECT 1 FROM account WHERE closed_at IS NULL
          AND (CAST(:policy_code AS text) IS NULL OR policy_code = :policy_code) LIMIT :most) a
    """
)
_OPEN = text(
    """
    INSERT INTO mass_cut (mass_cut_id, policy_code, ground, state, opened_at)
    VALUES (:mass_cut_id, :policy_code, :ground, 'waiting', :now)
    ON CONFLICT (coalesce(policy_code, '')) WHERE state = 'waiting' DO NOTHING
    """
)
_WAITING = text(
    """
    SELECT mass_cut_id FROM mass_cut
    WHERE state = 'waiting' AND policy_code IS NOT DISTINCT FROM :policy_code FOR UPDATE
    """
)
_HOLD = text(
    """
    INSERT INTO held_cut (mass_cut_id, account_id, policy_code, policy_version, balance_micro,
                          floor_micro, amount_to_clear_micro, held_at)
    VALUES (:mass_cut_id, :account_id, :policy_code, :policy_version, :balance_micro,
            :floor_micro, :amount_to_clear_micro, :now)
    ON CONFLICT (mass_cut_id, account_id) DO UPDATE
        SET policy_code = excluded.policy_code, policy_version = excluded.policy_version,
            balance_micro = excluded.balance_micro, floor_micro = excluded.floor_micro,
            amount_to_clear_micro = excluded.amount_to_clear_micro,
            held_at = excluded.held_at, left_at = NULL, left_as = NULL
    """
)
_LEAVE = text(
    """
    UPDATE held_cut h SET left_at = :now, left_as = l.left_as
    FROM unnest(CAST(:account_ids AS bigint[]), CAST(:left_as AS text[]))
             AS l (account_id, left_as)
    WHERE h.account_id = l.account_id AND h.left_at IS NULL RETURNING h.mass_cut_id
    """
)
_LAPSE = text(
    """
    UPDATE mass_cut m SET state = 'lapsed', decided_at = :now
    WHERE m.mass_cut_id = ANY(CAST(:mass_cut_ids AS uuid[])) AND m.state = 'waiting'
      AND NOT EXISTS (SELECT 1 FROM held_cut h
                      WHERE h.mass_cut_id = m.mass_cut_id AND h.left_at IS NULL)
    """
)
_MASS_CUTS = """
    SELECT m.*, (SELECT count(*) FROM held_cut h WHERE h.mass_cut_id = m.mass_cut_id) AS held,
           (SELECT count(*) FROM held_cut h
            WHERE h.mass_cut_id = m.mass_cut_id AND h.left_at IS NULL) AS on_list,
           (SELECT max(held_at) FROM held_cut h
            WHERE h.mass_cut_id = m.mass_cut_id) AS last_held_at
    FROM mass_cut m
"""
_ONE = text(_MASS_CUTS + " WHERE m.mass_cut_id = :mass_cut_id")
_PAGE = text(
    _MASS_CUTS
    + """
    WHERE (CAST(:before AS uuid) IS NULL OR m.mass_cut_id < :before)
      AND (CAST(:state AS text) IS NULL OR m.state = :state)
    ORDER BY m.mass_cut_id DESC LIMIT :limit
    """
)
_FOR_DECISION = text("SELECT * FROM mass_cut WHERE mass_cut_id = :mass_cut_id FOR UPDATE")
_DECIDE = text(
    """
    UPDATE mass_cut SET state = :state, decided_at = :now, decided_by = :by, reason = :reason,
                        held_until = :held_until
    WHERE mass_cut_id = :mass_cut_id
    """
)
_ON_LIST = text(
    "SELECT account_id FROM held_cut WHERE mass_cut_id = :mass_cut_id AND left_at IS NULL"
)
_ACCOUNTS = text(
    """
    SELECT h.*, a.currency, p.balance_micro AS balance_now_micro, p.reason
    FROM held_cut h JOIN account a USING (account_id) JOIN position p USING (account_id)
    WHERE h.mass_cut_id = :mass_cut_id AND h.account_id > :after
      AND (h.left_at IS NULL OR NOT :on_list)
    ORDER BY h.account_id LIMIT :limit
    """
)
_CHANGERS = text(
    """
    SELECT DISTINCT unnest(ARRAY[written_by, approved_by])
    FROM credit_policy_version v JOIN held_cut h
        ON h.policy_code = v.code AND h.policy_version = v.version
    WHERE h.mass_cut_id = :mass_cut_id AND v.written_at > :since
    """
)


async def lock(conn: AsyncConnection) -> None:
    """Count and hold one after the other, until the transaction ends."""
    await conn.execute(_LOCK, {"lock": LOCK})


async def waiting_since(conn: AsyncConnection, since: datetime) -> dict[str, int]:
    """Accounts of each policy that were put on a waiting list since then and still are on it."""
    rows = await conn.execute(_WAITING_SINCE, {"since": since})
    return {row.policy_code: row.held for row in rows}


async def group_size(conn: AsyncConnection, policy_code: str | None, *, most: int) -> int:
    """Open accounts on a policy, or all with None; counted up to `most` only."""
    rows = await conn.execute(_SIZE, {"policy_code": policy_code, "most": most})
    size: int = rows.scalar_one()
    return size


async def open_or_join(
    conn: AsyncConnection,
    mass_cut_id: UUID,
    *,
    policy_code: str | None,
    ground: str,
    now: datetime,
) -> tuple[UUID, bool]:
    """The list that waits for this group, locked, and whether it was opened now."""
    values = {"mass_cut_id": mass_cut_id, "policy_code": policy_code, "ground": ground, "now": now}
    opened = (await conn.execute(_OPEN, values)).rowcount == 1
    waiting: UUID = (await conn.execute(_WAITING, {"policy_code": policy_code})).scalar_one()
    return waiting, opened


async def hold(conn: AsyncConnection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """Rows: mass_cut_id, account_id, policy_code, policy_version, balance_micro, floor_micro,
    amount_to_clear_micro.
    """
    await conn.execute(_HOLD, [{**row, "now": now} for row in rows])


async def leave(conn: AsyncConnection, left: dict[int, str], now: datetime) -> None:
    """Take accounts off their lists, each with how; a waiting list that is empty lapses."""
    values = {"account_ids": list(left), "left_as": list(left.values()), "now": now}
    lists = set((await conn.execute(_LEAVE, values)).scalars())
    await conn.execute(_LAPSE, {"mass_cut_ids": list(lists), "now": now})


async def one(conn: AsyncConnection, mass_cut_id: UUID) -> Row[Any] | None:
    return (await conn.execute(_ONE, {"mass_cut_id": mass_cut_id})).first()


async def page(
    conn: AsyncConnection, *, before: UUID | None, limit: int, state: str | None
) -> Sequence[Row[Any]]:
    """Newest first."""
    rows = await conn.execute(_PAGE, {"before": before, "limit": limit, "state": state})
    return rows.all()


async def for_decision(conn: AsyncConnection, mass_cut_id: UUID) -> Row[Any] | None:
    """The list, locked: nobody joins it or leaves it meanwhile."""
    return (await conn.execute(_FOR_DECISION, {"mass_cut_id": mass_cut_id})).first()


async def decide(
    conn: AsyncConnection,
    mass_cut_id: UUID,
    *,
    state: str,
    by: str,
    reason: str,
    now: datetime,
    held_until: datetime | None = None,
) -> None:
    await conn.execute(
        _DECIDE,
        {
            "mass_cut_id": mass_cut_id,
            "state": state,
            "by": by,
            "reason": reason,
            "now": now,
            "held_until": held_until,
        },
    )


async def on_list(conn: AsyncConnection, mass_cut_id: UUID) -> list[int]:
    return list((await conn.execute(_ON_LIST, {"mass_cut_id": mass_cut_id})).scalars())


async def accounts(
    conn: AsyncConnection, mass_cut_id: UUID, *, after: int, limit: int, on_list: bool
) -> Sequence[Row[Any]]:
    """Accounts of a list with ids above `after`; with `on_list` only those still on it."""
    rows = await conn.execute(
        _ACCOUNTS,
        {"mass_cut_id": mass_cut_id, "after": after, "limit": limit, "on_list": on_list},
    )
    return rows.all()


async def changers(conn: AsyncConnection, mass_cut_id: UUID, since: datetime) -> set[str | None]:
    """Who wrote and approved the policy versions that the list would be cut by, since then."""
    rows = await conn.execute(_CHANGERS, {"mass_cut_id": mass_cut_id, "since": since})
    return set(rows.scalars())
