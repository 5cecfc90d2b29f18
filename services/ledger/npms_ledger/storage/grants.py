"""Granted credits: their terms with who granted them, and what is left of each."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_NAMES = (
    "account_id",
    "grant_no",
    "label",
    "kind",
    "priority",
    "amount_micro",
    "draws_on",
    "monthly",
    "rollover_max_micro",
    "remaining_micro",
    "ends_at",
    "renews_at",
    "ended",
)
_ADD = text(
    f"""
    INSERT INTO granted_credit ({", ".join(_NAMES)}, granted_at, granted_by, granted_why)
    VALUES ({", ".join(f":{name}" for name in _NAMES)}, :now, :by, :why)
    """  # noqa: S608 - names of this module
)
_SAVE = text(
    """
    UPDATE granted_credit
    SET remaining_micro = :remaining_micro, renews_at = :renews_at, ended = :ended
    WHERE account_id = :account_id AND grant_no = :grant_no
    """
)
_END = text(
    """
    UPDATE granted_credit SET ended_by = :by, ended_why = :why
    WHERE account_id = :account_id AND grant_no = :grant_no
    """
)
_ALL = text("SELECT * FROM granted_credit WHERE account_id = :account_id ORDER BY grant_no")
_NEXT = text(
    "SELECT coalesce(max(grant_no), 0) + 1 FROM granted_credit WHERE account_id = :account_id"
)


async def add(
    conn: AsyncConnection, row: dict[str, Any], *, now: datetime, by: str, why: str
) -> None:
    """A new grant, by somebody for a reason."""
    await conn.execute(_ADD, {**row, "now": now, "by": by, "why": why})


async def save(conn: AsyncConnection, rows: Sequence[dict[str, Any]]) -> None:
    """What is left of grants, and when they change next."""
    wanted = ("account_id", "grant_no", "remaining_micro", "renews_at", "ended")
    if rows:
        await conn.execute(_SAVE, [{name: row[name] for name in wanted} for row in rows])


async def note_end(
    conn: AsyncConnection, account_id: int, grant_no: int, *, by: str, why: str
) -> None:
    """Who ended a grant before its time, and why."""
    await conn.execute(_END, {"account_id": account_id, "grant_no": grant_no, "by": by, "why": why})


async def next_number(conn: AsyncConnection, account_id: int) -> int:
    """The number of the account's next grant; the caller holds the account."""
    number: int = (await conn.execute(_NEXT, {"account_id": account_id})).scalar_one()
    return number


async def all_of(conn: AsyncConnection, account_id: int) -> Sequence[Row[Any]]:
    """All grants of an account, ended ones too."""
    return (await conn.execute(_ALL, {"account_id": account_id})).all()
