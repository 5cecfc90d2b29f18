"""Which meter answers at an installation's address: known by its own serial number.

The number that the meter was installed under is believed, or, where that is a name of the
utility's own, the one read first. Another one without a work order is an alarm; readings are held
and its relay is left alone until the known one is back, the meter is swapped, or an operator
accepts it.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.domain.identity import number_given
from npms_meter_gateway.domain.meters import UnknownMeter
from npms_meter_gateway.domain.slow_poll_state import SlowPollState
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.handlers.register_states import take_register_state
from npms_meter_gateway.handlers.suspect_meter import suspect_meter, trust_meter
from npms_meter_gateway.storage import readings, slow_polls
from npms_shared.actor import Actor
from npms_shared.db import audit_trail

CHANGED = "serial_changed"


async def note_serial(
    conn: AsyncConnection,
    context: Context,
    *,
    installation_id: int,
    account_id: int,
    serial: str,
) -> bool:
    """Note the number that a meter told; whether it is the one believed."""
    known_state = await slow_polls.state_of(conn, installation_id)
    if known_state.serial == known_state.seen_serial == serial:
        return True
    state = await _take(conn, context, installation_id)
    known = state.serial or number_given(state.installed_serial or "") or serial
    if (state.serial, state.seen_serial) != (known, serial):
        await slow_polls.note_serial(conn, installation_id, serial, known=known)
        if serial == known and state.seen_serial is not None:
            await _trust(conn, context, installation_id, "the meter known before answers again")
    if serial == known:
        return True
    detail = f"{serial} answers, {known} is known"
    await suspect_meter(conn, context, installation_id, detail=detail)
    await raise_alarm(
        conn,
        context,
        installation_id=installation_id,
        account_id=account_id,
        kind=CHANGED,
        detail=detail,
    )
    return False


async def accept_serial(
    conn: AsyncConnection,
    context: Context,
    installation_id: int,
    serial: str,
    *,
    by: Actor,
    reason: str,
) -> None:
    """An operator says that the meter was exchanged rightly. Raises UnknownMeter; Unfit where this
    is not the number that was seen instead of the one known.
    """
    if not await readings.is_known(conn, installation_id):
        raise UnknownMeter
    state = await _take(conn, context, installation_id)
    if serial == state.serial:
        raise Unfit("serial_known", f"{serial} is the number that is believed already")
    if serial != state.seen_serial:
        raise Unfit("serial_not_seen", f"the meter that answers told {state.seen_serial}")
    await accept_seen(conn, context, installation_id, by=by, reason=reason)


async def accept_seen(
    conn: AsyncConnection, context: Context, installation_id: int, *, by: Actor, reason: str
) -> None:
    """The meter seen last is the right one: its readings are judged like any other from now on."""
    state = await _take(conn, context, installation_id)
    if state.serial is None or state.seen_serial in {None, state.serial}:
        return
    assert state.seen_serial is not None
    await slow_polls.accept_serial(conn, installation_id, state.seen_serial)
    await audit_trail.note(
        conn,
        by,
        "serial_accepted",
        subject=f"installation:{installation_id}",
        now=context.clock.now(),
        reason=reason,
        before={"serial_number": state.serial},
        after={"serial_number": state.seen_serial},
    )
    detail = f"accepted by {by.subject}: {reason}"
    await _trust(conn, context, installation_id, detail, afresh=True)


async def _take(conn: AsyncConnection, context: Context, installation_id: int) -> SlowPollState:
    """The partition's turn first, as everybody takes them who judges readings."""
    await take_register_state(conn, context, installation_id)
    return await slow_polls.take_state(conn, installation_id)


async def _trust(
    conn: AsyncConnection,
    context: Context,
    installation_id: int,
    detail: str,
    *,
    afresh: bool = False,
) -> None:
    await trust_meter(conn, context, installation_id, afresh=afresh)
    await clear_alarm(conn, context, installation_id=installation_id, kind=CHANGED, detail=detail)
