"""Positions, locked and written by sets."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.arrays import array, arrays

_LOCK_TALLIES = text(
    f"""
    SELECT account_id, balance_micro, seq, wake_micro FROM position
    WHERE account_id = ANY({arrays("account_ids")}) ORDER BY account_id FOR UPDATE
    """  # noqa: S608
)
_LOCK = text(
    """
    SELECT account_id FROM position WHERE account_id = ANY(CAST(:account_ids AS bigint[]))
    ORDER BY account_id FOR UPDATE
    """
)
_LOAD = text(
    """
    SELECT p.*, a.currency, a.time_zone, a.opened_at, CAST(v.document AS text) AS policy,
           v.code AS policy_code, v.version AS policy_version,
           coalesce(m.state, 'none') AS cut_hold, m.held_until AS cut_held_until, m.mass_cut_id,
           v.document ->> 'load_limit' IS NOT NULL AND coalesce((
               SELECT bool_and(k.can_limit) FROM installation i JOIN known_profile k USING (profile)
               WHERE i.account_id = p.account_id AND i.closed_at IS NULL), false) AS can_limit,
           (SELECT jsonb_agg(d) FROM debt d
            WHERE d.account_id = p.account_id AND d.remaining_micro > 0) AS debts,
           (SELECT jsonb_agg(g) FROM granted_credit g
            WHERE g.account_id = p.account_id AND NOT g.ended) AS grants,
           (SELECT jsonb_agg(jsonb_build_array(k.plan_code, k.valid_from, k.vend_charges))
            FROM installation i JOIN known_plan_version k USING (plan_code)
            WHERE i.account_id = p.account_id AND i.closed_at IS NULL) AS vend_plans,
           (SELECT jsonb_agg(e) FROM vend_charge e
            WHERE e.account_id = p.account_id
              AND (e.taken_micro < e.amount_micro
                   OR e.month = (SELECT max(n.month) FROM vend_charge n
                                 WHERE n.account_id = p.account_id))) AS vend_begun
    FROM position p JOIN account a USING (account_id)
    JOIN credit_policy c ON c.code = a.policy_code
    JOIN credit_policy_version v ON v.code = c.code AND v.version = c.version
    LEFT JOIN held_cut h ON h.account_id = p.account_id AND h.left_at IS NULL
    LEFT JOIN mass_cut m ON m.mass_cut_id = h.mass_cut_id
    WHERE p.account_id = ANY(CAST(:account_ids AS bigint[])) ORDER BY p.account_id
    """
)
_UPDATE_TALLIES = text(
    f"""
    UPDATE position p SET balance_micro = t.balance_micro, seq = t.seq
    FROM unnest({arrays("account_ids", "balances_micro", "seqs")})
        AS t (account_id, balance_micro, seq)
    WHERE p.account_id = t.account_id
    """  # noqa: S608
)
COLUMNS = {
    "account_id": "bigint",
    "balance_micro": "bigint",
    "seq": "bigint",
    "wake_micro": "bigint",
    "debt_micro": "bigint",
    "emergency_used_micro": "bigint",
    "emergency": "emergency_state",
    "warned_micro": "bigint",
    "was_in_credit": "boolean",
    "told": "told",
    "supply_on": "boolean",
    "reason": "text",
    "protected": "boolean",
    "closed": "boolean",
    "protected_until": "timestamptz",
    "keep_on_until": "timestamptz",
    "limit_w": "bigint",
    "limit_until": "timestamptz",
    "recovered_micro": "bigint",
    "recovered_since": "date",
}
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in COLUMNS.items())
_NAMES = ", ".join(COLUMNS)
_INSERT = text(f"INSERT INTO position ({_NAMES}) SELECT * FROM unnest({_ARRAYS})")  # noqa: S608
_SET = ", ".join(f"{name} = n.{name}" for name in COLUMNS if name != "account_id")
_UPDATE = text(
    f"UPDATE position p SET {_SET} FROM unnest({_ARRAYS}) AS n ({_NAMES}) "  # noqa: S608
    "WHERE p.account_id = n.account_id"
)
_DUE = text(
    """
    SELECT p.account_id, d.decide_at = '-infinity' AS by_policy
    FROM decision_due d JOIN position p USING (account_id)
    WHERE d.decide_at <= :now ORDER BY d.decide_at LIMIT :limit
    FOR UPDATE OF p SKIP LOCKED
    """
)
_SCHEDULE = text(
    """
    INSERT INTO decision_due (account_id, decide_at)
    SELECT * FROM unnest(CAST(:account_ids AS bigint[]), CAST(:times AS timestamptz[]))
    ON CONFLICT (account_id) DO UPDATE SET decide_at = excluded.decide_at
    WHERE decision_due.decide_at > '-infinity'
    """
)
_UNSCHEDULE = text(
    """
    DELETE FROM decision_due
    WHERE account_id = ANY(CAST(:account_ids AS bigint[])) AND decide_at > '-infinity'
    """
)
_TAKE_UP = text("DELETE FROM decision_due WHERE account_id = ANY(CAST(:account_ids AS bigint[]))")
_SCHEDULE_NOW = text(
    """
    INSERT INTO decision_due (account_id, decide_at)
    SELECT account_id, '-infinity' FROM unnest(CAST(:account_ids AS bigint[])) AS d (account_id)
    ORDER BY account_id
    ON CONFLICT (account_id) DO UPDATE SET decide_at = excluded.decide_at
    """
)
_SCHEDULE_POLICY = text(
    """
    INSERT INTO decision_due (account_id, decide_at)
    SELECT account_id, '-infinity' FROM account WHERE policy_code = :code
    ON CONFLICT (account_id) DO UPDATE SET decide_at = excluded.decide_at
    """
)


async def lock_tallies(conn: AsyncConnection, account_ids: Collection[int]) -> dict[int, list[int]]:
    """[balance_micro, seq, wake_micro] by account, locked in the order of ids."""
    rows = await conn.execute(_LOCK_TALLIES, {"account_ids": array(account_ids)})
    return {account_id: tally for account_id, *tally in rows}


async def update_tallies(
    conn: AsyncConnection, account_ids: list[int], *, balances_micro: list[int], seqs: list[int]
) -> None:
    await conn.execute(
        _UPDATE_TALLIES,
        {
            "account_ids": array(account_ids),
            "balances_micro": array(balances_micro),
            "seqs": array(seqs),
        },
    )


async def lock(conn: AsyncConnection, account_ids: Collection[int]) -> None:
    await conn.execute(_LOCK, {"account_ids": list(account_ids)})


async def load(conn: AsyncConnection, account_ids: Collection[int]) -> Sequence[Row[Any]]:
    """Everything of locked positions, with currency, time zone, policy and held cut, open debts,
    grants that have not ended, and what the first top-up of a month pays.
    """
    return (await conn.execute(_LOAD, {"account_ids": list(account_ids)})).all()


async def insert(conn: AsyncConnection, values: dict[str, list[Any]]) -> None:
    """New positions, as columns named as in COLUMNS."""
    await conn.execute(_INSERT, values)


async def update(conn: AsyncConnection, values: dict[str, list[Any]]) -> None:
    """Whole positions, as columns named as in COLUMNS."""
    await conn.execute(_UPDATE, values)


async def take_due(conn: AsyncConnection, now: datetime, limit: int) -> dict[int, bool]:
    """Accounts whose time to decide has come, locked and no longer due; those in other hands are
    left for the next time. True for those whose policy was changed.
    """
    found = await conn.execute(_DUE, {"now": now, "limit": limit})
    due = {row.account_id: row.by_policy for row in found}
    if due:
        await conn.execute(_TAKE_UP, {"account_ids": list(due)})
    return due


async def schedule(conn: AsyncConnection, times: dict[int, datetime | None]) -> None:
    """When each account must next be decided; None when time alone changes nothing."""
    never = [account_id for account_id, at in times.items() if at is None]
    due = {account_id: at for account_id, at in times.items() if at is not None}
    if never:
        await conn.execute(_UNSCHEDULE, {"account_ids": never})
    if due:
        await conn.execute(_SCHEDULE, {"account_ids": list(due), "times": list(due.values())})


async def schedule_now(conn: AsyncConnection, account_ids: Collection[int]) -> None:
    """Let these accounts be decided at once, as after a change of policy."""
    await conn.execute(_SCHEDULE_NOW, {"account_ids": list(account_ids)})


async def schedule_policy(conn: AsyncConnection, code: str) -> None:
    """Let every account on the policy be decided at once.

    The mark is `-infinity`, which only `take_due` removes: a transaction that still decides by
    the policy of before, and commits later, leaves it.
    """
    await conn.execute(_SCHEDULE_POLICY, {"code": code})
