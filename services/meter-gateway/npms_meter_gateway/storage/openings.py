"""Supplies opened lately by all processes together, and whether no more are."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_GUARD = "SELECT counted_from, stopped_at, stopped_with FROM opening_guard"
_SHOW, _TAKE = text(_GUARD), text(f"{_GUARD} FOR UPDATE")
_COUNT = text(
    """
    SELECT count(*) FROM supply_opening
    WHERE opened_at > greatest(:since, CAST(:counted_from AS timestamptz))
      AND installation_id <> :but
    """
)
_COUNT_IN = text(
    """
    INSERT INTO supply_opening AS o (installation_id, opened_at) VALUES (:installation_id, :now)
    ON CONFLICT (installation_id) DO UPDATE SET opened_at = excluded.opened_at
    """
)
_STOP = text("UPDATE opening_guard SET stopped_at = :now, stopped_with = :installation_id")
_RESUME = text(
    "UPDATE opening_guard SET stopped_at = NULL, stopped_with = NULL, counted_from = :now"
)
_TAKE_UP = text("UPDATE supply SET next_try_at = :now WHERE blocked_by = 'stopped' AND NOT settled")


@dataclass(frozen=True, slots=True)
class Guard:
    """`counted_from` is when a person last let openings go on; `stopped_with` the installation
    that was to be opened when they were stopped.
    """

    counted_from: datetime | None
    stopped_at: datetime | None
    stopped_with: int | None


async def show(conn: AsyncConnection) -> Guard:
    return Guard(*(await conn.execute(_SHOW)).one())


async def take(conn: AsyncConnection) -> Guard:
    """As `show`; nobody else counts until the transaction ends."""
    return Guard(*(await conn.execute(_TAKE)).one())


async def count(conn: AsyncConnection, guard: Guard, *, since: datetime, but: int = 0) -> int:
    """How many supplies, but for this one, were opened since then, or since openings went on."""
    values = {"since": since, "counted_from": guard.counted_from, "but": but}
    found: int = (await conn.execute(_COUNT, values)).scalar_one()
    return found


async def count_in(conn: AsyncConnection, installation_id: int, *, now: datetime) -> None:
    """One supply counts once, however often it is tried."""
    await conn.execute(_COUNT_IN, {"installation_id": installation_id, "now": now})


async def stop(conn: AsyncConnection, installation_id: int, *, now: datetime) -> None:
    await conn.execute(_STOP, {"installation_id": installation_id, "now": now})


async def resume(conn: AsyncConnection, *, now: datetime) -> None:
    """Count afresh, and take up at once what was stopped."""
    await conn.execute(_RESUME, {"now": now})
    await conn.execute(_TAKE_UP, {"now": now})
