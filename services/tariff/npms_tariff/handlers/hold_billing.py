"""Billing holds: a register that fell stops rating until a person has decided."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.contracts.meter_gateway import HoldLift, RegisterFell
from npms_shared.db import audit_trail
from npms_tariff.domain.records import BillingHold
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.errors import HoldReleased, NotOpenedYet, UnknownHold
from npms_tariff.storage import holds, states


@dataclass(frozen=True, slots=True)
class HoldFilter:
    """`account_id` None is all."""

    account_id: int | None = None
    only_open: bool = False


async def hold_fallen(conn: AsyncConnection, context: Context, event: RegisterFell) -> None:
    """Hold an installation whose meter was read below its last good register.

    What was judged before, and what comes again, changes nothing. Raises NotOpenedYet to try
    again.
    """
    taken_at_s = int(event.taken_at.timestamp())
    if await holds.was_judged(conn, event.installation_id, taken_at_s):
        return
    if not await states.touch_state(conn, event.installation_id):
        raise NotOpenedYet(event.installation_id)
    fall = (event.installation_id, taken_at_s, event.register_wh, event.last_register_wh)
    await holds.add_holds(conn, [fall], at=context.clock.now())


async def lift_holds(conn: AsyncConnection, context: Context, lifts: Sequence[HoldLift]) -> None:
    """Rate on where the gateway's operators have decided of all that fell.

    The last decision on an installation counts.
    """
    last = {lift.installation_id: lift for lift in lifts}
    await holds.lift_holds(conn, list(last.values()), at=context.clock.now())


async def release_hold(
    conn: AsyncConnection, context: Context, billing_hold_id: int, *, by: Actor, reason: str
) -> BillingHold:
    """Rate on from the last rated register. Raises UnknownHold, HoldReleased.

    Readings kept aside meanwhile stay there: the next one counts from the last rated one.
    """
    hold = await holds.lock_hold(conn, billing_hold_id)
    if hold is None:
        raise UnknownHold
    if hold.released_at is not None:
        raise HoldReleased
    now = context.clock.now()
    await states.touch_state(conn, hold.installation_id)
    released = await holds.release_hold(conn, billing_hold_id, at=now, by=by.subject, note=reason)
    await audit_trail.note(
        conn,
        by,
        "billing_hold_released",
        subject=f"billing_hold:{billing_hold_id}",
        now=now,
        reason=reason,
        before={"released": False},
        after={"released": True, "installation_id": hold.installation_id},
    )
    return released


async def list_holds(
    conn: AsyncConnection, wanted: HoldFilter, *, before: int | None, limit: int
) -> list[BillingHold]:
    """The newest first."""
    return await holds.list_holds(
        conn,
        before=before,
        limit=limit,
        account_id=wanted.account_id,
        only_open=wanted.only_open,
    )
