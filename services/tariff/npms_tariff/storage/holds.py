"""Billing holds: one open per installation; who released it and why stays on record."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.meter_gateway import HoldLift
from npms_shared.db.arrays import array, arrays
from npms_tariff.domain.records import BillingHold

Fall = tuple[int, int, int, int]
"""(installation, taken at in seconds, register in Wh, the last good register)"""

_ADD = text(
    f"""
    INSERT INTO billing_hold (installation_id, account_id, taken_at_s, register_wh, last_wh,
                              held_at)
    SELECT f.installation_id, i.account_id, f.taken_at_s, f.register_wh, f.last_wh, :at
    FROM unnest({arrays("installation_id", "taken_at_s", "register_wh", "last_wh")})
        AS f (installation_id, taken_at_s, register_wh, last_wh)
    JOIN installation i USING (installation_id)
    ON CONFLICT (installation_id) WHERE released_at IS NULL DO NOTHING
    """  # noqa: S608 - names of this module
)
_OPEN = text(
    f"""
    SELECT installation_id FROM billing_hold
    WHERE installation_id = ANY({arrays("ids")}) AND released_at IS NULL
    """  # noqa: S608 - names of this module
)
_LIFT = text(
    f"""
    UPDATE billing_hold h SET released_at = :at, released_by = l.by, note = l.note
    FROM unnest({arrays("ids", "taken_at_s")}, CAST(:by AS text[]), CAST(:note AS text[]))
        AS l (id, taken_at_s, by, note)
    WHERE h.installation_id = l.id AND h.released_at IS NULL AND h.taken_at_s <= l.taken_at_s
    """  # noqa: S608 - names of this module
)
_REMEMBER = text(
    f"""
    INSERT INTO billing_hold (installation_id, account_id, taken_at_s, register_wh, last_wh,
                              held_at, released_at, released_by, note)
    SELECT l.id, i.account_id, l.taken_at_s, l.register_wh, l.last_wh, :at, :at, l.by, l.note
    FROM unnest({arrays("ids", "taken_at_s", "register_wh", "last_wh")},
                CAST(:by AS text[]), CAST(:note AS text[]))
        AS l (id, taken_at_s, register_wh, last_wh, by, note)
    JOIN installation i ON i.installation_id = l.id
    WHERE NOT EXISTS (
        SELECT FROM billing_hold h
        WHERE h.installation_id = l.id AND h.taken_at_s >= l.taken_at_s
    )
    """  # noqa: S608 - names of this module
)
_HOLD = """
    SELECT billing_hold_id, installation_id, account_id, taken_at_s, register_wh, last_wh, held_at,
           released_at, released_by, note
    FROM billing_hold
"""

_WAS_JUDGED = text(
    """
    SELECT 1 FROM billing_hold
    WHERE installation_id = :id AND taken_at_s >= :taken_at_s LIMIT 1
    """
)
_LOCK_HOLD = text(f"{_HOLD} WHERE billing_hold_id = :id FOR UPDATE")
_RELEASE_HOLD = text(
    """
    UPDATE billing_hold SET released_at = :at, released_by = :by, note = :note
    WHERE billing_hold_id = :id
    RETURNING billing_hold_id, installation_id, account_id, taken_at_s, register_wh,
              last_wh, held_at, released_at, released_by, note
    """
)
_LIST_HOLDS = text(
    f"""{_HOLD}
    WHERE (CAST(:before AS bigint) IS NULL OR billing_hold_id < :before)
      AND (CAST(:account_id AS bigint) IS NULL OR account_id = :account_id)
      AND (NOT :only_open OR released_at IS NULL)
    ORDER BY billing_hold_id DESC LIMIT :limit
    """
)


async def add_holds(conn: AsyncConnection, falls: Sequence[Fall], *, at: datetime) -> None:
    """Those of installations that are held already change nothing."""
    ids, taken, registers, last = zip(*falls, strict=True)
    await conn.execute(
        _ADD,
        {
            "installation_id": array(ids),
            "taken_at_s": array(taken),
            "register_wh": array(registers),
            "last_wh": array(last),
            "at": at,
        },
    )


async def lift_holds(conn: AsyncConnection, lifts: Sequence[HoldLift], *, at: datetime) -> None:
    """Release what the gateway's operators have decided of, at most one lift an installation.

    A fall that was decided before it was heard of is put down as released, so that it holds
    nothing when it comes.
    """
    values = {
        "ids": array(lift.installation_id for lift in lifts),
        "taken_at_s": array(lift.taken_at_s for lift in lifts),
        "by": [lift.by for lift in lifts],
        "note": [lift.note for lift in lifts],
        "at": at,
    }
    await conn.execute(_LIFT, values)
    registers = {
        "register_wh": array(lift.register_wh for lift in lifts),
        "last_wh": array(lift.last_register_wh for lift in lifts),
    }
    await conn.execute(_REMEMBER, values | registers)


async def held_of(conn: AsyncConnection, ids: Sequence[int]) -> set[int]:
    """Which of the installations are held now."""
    return set((await conn.execute(_OPEN, {"ids": array(ids)})).scalars())


async def was_judged(conn: AsyncConnection, installation_id: int, taken_at_s: int) -> bool:
    """Whether a hold of this reading, or of a later one, is or was there."""
    found = await conn.execute(_WAS_JUDGED, {"id": installation_id, "taken_at_s": taken_at_s})
    return found.first() is not None


async def lock_hold(conn: AsyncConnection, billing_hold_id: int) -> BillingHold | None:
    found = await conn.execute(_LOCK_HOLD, {"id": billing_hold_id})
    row = found.one_or_none()
    return BillingHold(*row) if row else None


async def release_hold(
    conn: AsyncConnection, billing_hold_id: int, *, at: datetime, by: str, note: str
) -> BillingHold:
    done = await conn.execute(
        _RELEASE_HOLD, {"id": billing_hold_id, "at": at, "by": by, "note": note}
    )
    return BillingHold(*done.one())


async def list_holds(
    conn: AsyncConnection,
    *,
    before: int | None,
    limit: int,
    account_id: int | None,
    only_open: bool,
) -> list[BillingHold]:
    """The newest first."""
    rows = await conn.execute(
        _LIST_HOLDS,
        {"before": before, "limit": limit, "account_id": account_id, "only_open": only_open},
    )
    return [BillingHold(*row) for row in rows]
