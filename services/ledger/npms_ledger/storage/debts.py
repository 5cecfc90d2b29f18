"""Debts: their terms with who set them, and what is left of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

TERMS = (
    "label",
    "kind",
    "priority",
    "share_ppm",
    "minimum_micro",
    "cap_micro",
    "cap_period",
    "rate_micro",
    "rate_period",
    "suspend_in_emergency",
    "suspend_when_off",
)
_NAMES = (
    "account_id",
    "debt_no",
    *TERMS,
    "remaining_micro",
    "taken_micro",
    "taken_since",
    "next_at",
)
_INSERT = f"""
    INSERT INTO debt ({", ".join(_NAMES)}, added_at, added_by, added_why)
    VALUES ({", ".join(f":{name}" for name in _NAMES)}, :now, :by, :why)
"""  # noqa: S608 - names of this module
_ADD = text(_INSERT)
_SAVE = text(
    _INSERT
    + """
    ON CONFLICT (account_id, debt_no) DO UPDATE
    SET remaining_micro = excluded.remaining_micro, taken_micro = excluded.taken_micro,
        taken_since = excluded.taken_since, next_at = excluded.next_at
    """
)
_CHANGE = text(
    f"""
    UPDATE debt SET {", ".join(f"{name} = :{name}" for name in TERMS)},
        changed_at = :now, changed_by = :by, changed_why = :why
    WHERE account_id = :account_id AND debt_no = :debt_no
    """  # noqa: S608
)
_PAGE = text(
    """
    SELECT * FROM debt WHERE account_id = :account_id AND debt_no > :after
    ORDER BY debt_no LIMIT :limit
    """
)
_NEXT = text("SELECT coalesce(max(debt_no), 0) + 1 FROM debt WHERE account_id = :account_id")


async def add(
    conn: AsyncConnection, row: dict[str, Any], *, now: datetime, by: str, why: str
) -> None:
    """A new debt, by somebody for a reason; row: account_id, debt_no, TERMS and what is left."""
    await conn.execute(_ADD, {**row, "now": now, "by": by, "why": why})


async def save(conn: AsyncConnection, rows: Sequence[dict[str, Any]], now: datetime) -> None:
    """What is left of debts; one that has no row yet is one nobody gave terms."""
    if rows:
        written = [{**row, "now": now, "by": "ledger", "why": "general debt"} for row in rows]
        await conn.execute(_SAVE, written)


async def change(
    conn: AsyncConnection, row: dict[str, Any], *, now: datetime, by: str, why: str
) -> None:
    """Other terms for a debt; row: account_id, debt_no and TERMS."""
    wanted = {name: row[name] for name in ("account_id", "debt_no", *TERMS)}
    await conn.execute(_CHANGE, {**wanted, "now": now, "by": by, "why": why})


async def next_number(conn: AsyncConnection, account_id: int) -> int:
    """The number of the account's next debt; the caller holds the account."""
    number: int = (await conn.execute(_NEXT, {"account_id": account_id})).scalar_one()
    return number


async def page(
    conn: AsyncConnection, account_id: int, *, after: int, limit: int
) -> Sequence[Row[Any]]:
    """Debts with numbers above `after`, recovered ones too."""
    rows = await conn.execute(_PAGE, {"account_id": account_id, "after": after, "limit": limit})
    return rows.all()
