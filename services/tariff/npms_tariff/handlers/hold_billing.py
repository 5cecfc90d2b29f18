"""Billing holds: a register that fell stops rating until a person has looked."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.meter_gateway import HoldLift, RegisterFell
from npms_tariff.domain.records import BillingHold
from npms_tariff.handlers.errors import HoldReleased, NotOpenedYet, UnknownHold
from npms_tariff.storage import holds, states


async def hold_fallen(conn: AsyncConnection, event: RegisterFell, *, at: datetime) -> None:
    """Hold an installation whose meter was read below its last good register.

    What was judged before, and what is told again, changes nothing. Raises NotOpenedYet to try
    again.
    """
    taken_at_s = int(event.taken_at.timestamp())
    if await holds.was_judged(conn, event.installation_id, taken_at_s):
        return
    if not await states.touch_state(conn, event.installation_id):
        raise NotOpenedYet(event.installation_id)
    fall = (event.installation_id, taken_at_s, event.register_wh, event.last_register_wh)
    await holds.add_holds(conn, [fall], at=at)


async def lift_holds(conn: AsyncConnection, lifts: Sequence[HoldLift], *, at: datetime) -> None:
    """Rate on where the gateway's operators have decided of all that fell.

    The last word on an installation counts.
    """
    last = {lift.installation_id: lift for lift in lifts}
    await holds.lift_holds(conn, list(last.values()), at=at)


async def release_hold(
    conn: AsyncConnection, billing_hold_id: int, *, at: datetime, by: str, reason: str
) -> BillingHold:
    """Rate on from the last rated register. Raises UnknownHold, HoldReleased.

    Readings kept aside meanwhile stay there: the next one counts from the last rated one.
    """
    hold = await holds.lock_hold(conn, billing_hold_id)
    if hold is None:
        raise UnknownHold
    if hold.released_at is not None:
        raise HoldReleased
    await states.touch_state(conn, hold.installation_id)
    return await holds.release_hold(conn, billing_hold_id, at=at, by=by, note=reason)


async def list_holds(
    conn: AsyncConnection,
    *,
    before: int | None,
    limit: int,
    account_id: int | None,
    only_open: bool,
) -> list[BillingHold]:
    return await holds.list_holds(
        conn, before=before, limit=limit, account_id=account_id, only_open=only_open
    )
