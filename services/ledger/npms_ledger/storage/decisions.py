"""Why each supply came to be desired as it is: written once, never changed."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

COLUMNS = {
    "account_id": "bigint",
    "installation_id": "bigint",
    "revision": "bigint",
    "state": "supply_state",
    "limit_w": "bigint",
    "reason": "text",
    "hold_ended": "text",
    "policy_code": "text",
    "policy_version": "int",
    "balance_micro": "bigint",
    "floor_micro": "bigint",
    "debt_micro": "bigint",
    "emergency_used_micro": "bigint",
    "emergency": "text",
    "amount_to_clear_micro": "bigint",
    "decided_at": "timestamptz",
    "decided_by": "text",
    "subject": "text",
    "payment_id": "uuid",
    "journal_id": "uuid",
    "mass_cut_id": "uuid",
}
_NAMES = ", ".join(COLUMNS)
_ARRAYS = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in COLUMNS.items())
_INSERT = text(
    f"INSERT INTO supply_decision ({_NAMES}) SELECT * FROM unnest({_ARRAYS})"  # noqa: S608
)
_OF_ACCOUNT = text(
    """
    SELECT * FROM supply_decision WHERE account_id = :account_id AND decision_id < :before
    ORDER BY decision_id DESC LIMIT :limit
    """
)
_CUTS_SINCE = text(
    """
    SELECT policy_code, count(DISTINCT account_id) AS cuts FROM supply_decision
    WHERE state = 'off' AND mass_cut_id IS NULL AND decided_at > :since
      AND reason IN ('exhausted', 'no_credit') AND revision > 1
    GROUP BY policy_code
    """
)


async def insert(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """Rows have the keys of COLUMNS."""
    columns = {name: [row[name] for row in rows] for name in COLUMNS}
    await conn.execute(_INSERT, columns)


async def of_account(
    conn: AsyncConnection, account_id: int, *, before: int, limit: int
) -> Sequence[Row[Any]]:
    """Those with ids below `before`, newest first."""
    rows = await conn.execute(
        _OF_ACCOUNT, {"account_id": account_id, "before": before, "limit": limit}
    )
    return rows.all()


async def cuts_since(conn: AsyncConnection, since: datetime) -> dict[str, int]:
    """How many accounts of each policy were cut for want of credit, but for approved mass cuts."""
    rows = await conn.execute(_CUTS_SINCE, {"since": since})
    return {row.policy_code: row.cuts for row in rows}
