"""Which meter answers at an installation's address: known by its own serial number.

The number that the meter was installed under is believed, or, where that is a name of the
utility's own, the one read first. Another one without a work order is an alarm; readings are held
and its relay is left alone until the known one is back, the meter is swapped, or an operator
accepts it.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.domain.identity import number_given
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.handlers.register_states import take_register_state
from npms_meter_gateway.handlers.suspect_meter import suspect_meter, trust_meter
from npms_meter_gateway.storage import slow_polls
from npms_meter_gateway.storage.slow_polls import SlowPollState
from npms_shared.clock import Clock
from npms_shared.db.engine import Database

CHANGED = "serial_changed"


async def note_serial(
    conn: AsyncConnection, clock: Clock, *, installation_id: int, account_id: int, serial: str
) -> bool:
    """Note the number that a meter told; whether it is the one believed."""
    state = await _take(conn, installation_id)
    known = state.serial or number_given(state.given_serial or "") or serial
    if (state.serial, state.seen_serial) != (known, serial):
        await slow_polls.note_serial(conn, installation_id, serial, known=known)
        if serial == known and state.seen_serial is not None:
            await _trust(conn, clock, installation_id, "the meter known before answers again")
    if serial == known:
        return True
    detail = f"{serial} answers, {known} is known"
    await suspect_meter(conn, clock, installation_id, detail=detail)
    await raise_alarm(
        conn,
        clock,
        installation_id=installation_id,
        account_id=account_id,
        kind=CHANGED,
        detail=detail,
    )
    return False


async def accept_seen(
    conn: AsyncConnection, clock: Clock, installation_id: int, *, by: str, reason: str
) -> None:
    """The meter seen last is the right one: its readings are judged like any other from now on."""
    state = await _take(conn, installation_id)
    if state.serial is None or state.seen_serial in {None, state.serial}:
        return
    assert state.seen_serial is not None
    await slow_polls.accept_serial(
        conn,
        installation_id,
        was=state.serial,
        serial=state.seen_serial,
        by=by,
        reason=reason,
        at=clock.now(),
    )
    await _trust(conn, clock, installation_id, f"accepted by {by}: {reason}", afresh=True)


async def _take(conn: AsyncConnection, installation_id: int) -> SlowPollState:
    """The partition's turn first, as everybody takes them who judges readings."""
    await take_register_state(conn, installation_id, {})
    return await slow_polls.take_state(conn, installation_id)


async def _trust(
    conn: AsyncConnection,
    clock: Clock,
    installation_id: int,
    detail: str,
    *,
    afresh: bool = False,
) -> None:
    await trust_meter(conn, clock, installation_id, afresh=afresh)
    await clear_alarm(conn, clock, installation_id=installation_id, kind=CHANGED, detail=detail)


class SerialDesk:
    """Where an operator says that the meter was exchanged rightly."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database, self._clock = database, clock

    async def accept(self, installation_id: int, serial: str, *, by: str, reason: str) -> None:
        """Raises Unfit where this is not the number that was seen instead of the one known."""
        async with self._database.transaction() as conn:
            state = await _take(conn, installation_id)
            if serial == state.serial:
                raise Unfit("serial_known", f"{serial} is the number that is believed already")
            if serial != state.seen_serial:
                raise Unfit("serial_not_seen", f"the meter that answers told {state.seen_serial}")
            await accept_seen(conn, self._clock, installation_id, by=by, reason=reason)
