"""The gateway's own cap on how many supplies it opens, whatever it is told.

It counts in the database, so that all workers together stay within the cap. Once it would be
exceeded nothing is opened any more, with one alarm, until a person lets it go on. What is open
stays open, and closing is never held back.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.storage import openings
from npms_shared.actor import Actor
from npms_shared.db import audit_trail

STOPPED = "mass_open_stopped"


class NotStopped(Exception):
    """No opening is held back."""


@dataclass(frozen=True, slots=True)
class Openings:
    """`opened` supplies count against the `cap` now; `stopped_at` while no more are opened."""

    cap: int
    window_s: int
    opened: int
    stopped_at: datetime | None


async def may_open(
    conn: AsyncConnection, context: Context, installation_id: int, account_id: int
) -> bool:
    """Count an opening that is about to be commanded; False where it must not be."""
    guard, now = await openings.take(conn), context.clock.wall_now()
    if guard.stopped_at is not None:
        return False
    opened = await openings.count(conn, guard, since=_since(context), but=installation_id)
    if opened >= context.switching.cap.supplies:
        await openings.stop(conn, installation_id, now=now)
        await _alarm(conn, context, installation_id, account_id)
        return False
    await openings.count_in(conn, installation_id, now=now)
    return True


async def _alarm(
    conn: AsyncConnection, context: Context, installation_id: int, account_id: int
) -> None:
    cap = context.switching.cap
    await raise_alarm(
        conn,
        context,
        installation_id=installation_id,
        account_id=account_id,
        kind=STOPPED,
        detail=f"{cap.supplies} supplies were opened within {cap.window_s} s; none is any more",
    )


async def get_openings(conn: AsyncConnection, context: Context) -> Openings:
    """The cap, and how near it is."""
    guard, cap = await openings.show(conn), context.switching.cap
    opened = await openings.count(conn, guard, since=_since(context))
    return Openings(cap.supplies, cap.window_s, opened, guard.stopped_at)


async def resume_openings(
    conn: AsyncConnection, context: Context, *, by: Actor, reason: str
) -> Openings:
    """Let openings go on, and count afresh. Raises NotStopped."""
    guard = await openings.take(conn)
    if guard.stopped_at is None or guard.stopped_with is None:
        raise NotStopped
    await openings.resume(conn, now=context.clock.wall_now())
    await clear_alarm(
        conn,
        context,
        installation_id=guard.stopped_with,
        kind=STOPPED,
        detail=f"let go on by {by.subject}: {reason}",
    )
    await audit_trail.note(
        conn,
        by,
        "supply_openings_resumed",
        subject=f"installation:{guard.stopped_with}",
        now=context.clock.now(),
        reason=reason,
        before={"stopped_at": guard.stopped_at},
        after={"stopped_at": None},
    )
    return await get_openings(conn, context)


def _since(context: Context) -> datetime:
    return context.clock.wall_now() - timedelta(seconds=context.switching.cap.window_s)
