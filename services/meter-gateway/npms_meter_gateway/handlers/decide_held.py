"""A person decides of a reading that was not believed; what follows from it is done at once.

Each decision is one transaction: what is decided, stored, told and judged anew.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain import held as rules
from npms_meter_gateway.domain.held import HeldReading, Neighbours, Settled, Unfit
from npms_meter_gateway.domain.reckoning import Reckoning
from npms_meter_gateway.domain.validation import Columns, RegisterState, Verdict, validate_readings
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.keep_readings import keep_readings
from npms_meter_gateway.handlers.raise_event import clear_alarm
from npms_meter_gateway.handlers.register_states import take_register_state
from npms_meter_gateway.handlers.suspect_meter import trust_meter
from npms_meter_gateway.handlers.watch_serial import accept_seen
from npms_meter_gateway.outgoing import hold_lift
from npms_meter_gateway.storage import held, readings, reckonings
from npms_shared.actor import Actor
from npms_shared.contracts.meter_gateway import HoldLift
from npms_shared.db import audit_trail

Settle = Callable[[RegisterState, Neighbours, Reckoning], Settled]


class UnknownHeld(Exception):
    pass


class HeldDecided(Exception):
    """What a person has decided stands."""


@dataclass(frozen=True, slots=True)
class Correction:
    """The right register. With `counts_on` the meter goes on counting from what it showed; None
    lets a meter whose register fell count on, and no other.
    """

    register_wh: int
    counts_on: bool | None = None


@dataclass(frozen=True, slots=True)
class _Case:
    """One held reading in hand, who decides of it and why; `state` is None where nobody knows its
    installation.
    """

    reading: HeldReading
    state: RegisterState | None
    by: Actor
    reason: str

    @property
    def installation_id(self) -> int:
        return self.reading.installation_id


async def release_held(
    conn: AsyncConnection, context: Context, held_id: int, *, by: Actor, reason: str
) -> None:
    """Believe what the meter showed. Raises UnknownHeld, HeldDecided, Unfit."""
    case = await _open(conn, context, held_id, by, reason)

    def settle(state: RegisterState, near: Neighbours, reckoning: Reckoning) -> Settled:
        return rules.release(
            state,
            near,
            reckoning,
            at_s=case.reading.at_s,
            shown_wh=case.reading.shown_wh,
            latest_s=context.latest_s(),
        )

    await _accept(conn, context, case, "released", settle)


async def correct_held(
    conn: AsyncConnection,
    context: Context,
    held_id: int,
    correction: Correction,
    *,
    by: Actor,
    reason: str,
) -> None:
    """Put a register in its place. Raises UnknownHeld, HeldDecided, Unfit."""
    case = await _open(conn, context, held_id, by, reason)
    shown_wh = case.reading.shown_wh

    def settle(state: RegisterState, near: Neighbours, reckoning: Reckoning) -> Settled:
        fell = shown_wh < reckoning.raw(near.before[1])
        return rules.correct(
            state,
            near,
            reckoning,
            at_s=case.reading.at_s,
            shown_wh=shown_wh,
            register_wh=correction.register_wh,
            counts_on=fell if correction.counts_on is None else correction.counts_on,
            latest_s=context.latest_s(),
        )

    await _accept(conn, context, case, "corrected", settle)


async def reject_held(
    conn: AsyncConnection,
    context: Context,
    held_id: int,
    *,
    all_of_cause: bool = False,
    by: Actor,
    reason: str,
) -> None:
    """Believe nothing of it; with `all_of_cause` of none of the installation that wait for the
    same reason. Raises UnknownHeld, HeldDecided.
    """
    case = await _open(conn, context, held_id, by, reason)
    ids = {held_id}
    if all_of_cause:
        ids |= {reading.held_id for reading in await _waiting(conn, case)}
    await _decide(conn, context, case, dict.fromkeys(ids), "rejected")
    await _audit(conn, context, case, "rejected", {"held_ids": sorted(ids)})
    if case.state is not None:
        await _tell(conn, context, case, case.state, ([], [], [], []))


async def _accept(
    conn: AsyncConnection,
    context: Context,
    case: _Case,
    decision: Literal["released", "corrected"],
    settle: Settle,
) -> None:
    state, reading = case.state, case.reading
    if state is None:
        raise Unfit("unknown_installation", "nobody has opened the installation")
    near = await readings.neighbours(conn, case.installation_id, reading.at_s)
    reckoning = await reckonings.reckoning_at(conn, case.installation_id, reading.at_s)
    settled = settle(state, near, reckoning)
    await _decide(conn, context, case, {reading.held_id: settled.register_wh}, decision)
    await _audit(conn, context, case, decision, {"register_wh": settled.register_wh})
    origin = (reading.at_s, reading.shown_wh, reading.held_id)
    await readings.add_origins(conn, case.installation_id, [origin], how=decision)
    columns: Columns = (
        [case.installation_id],
        [state.account_id],
        [reading.at_s],
        [settled.register_wh],
    )
    if near.after is None:
        state = await _move(conn, context, case, state, settled)
        await _judge_anew(conn, context, case, state, columns)
    await _tell(conn, context, case, state, columns)


async def _open(
    conn: AsyncConnection, context: Context, held_id: int, by: Actor, reason: str
) -> _Case:
    """The undecided reading, locked after its partition's turn is taken, as recorders do."""
    seen = await held.find_held(conn, held_id)
    if seen is None:
        raise UnknownHeld
    state = await take_register_state(conn, context, seen.installation_id)
    reading = await held.find_held(conn, held_id, lock=True)
    if reading is None:
        raise UnknownHeld
    if reading.state not in rules.UNDECIDED:
        raise HeldDecided
    return _Case(reading, state, by, reason)


async def _move(
    conn: AsyncConnection, context: Context, case: _Case, state: RegisterState, settled: Settled
) -> RegisterState:
    """The state after the reading, which is its last."""
    if case.reading.reason == Verdict.FOREIGN_METER:
        await trust_meter(conn, context, case.installation_id, afresh=True)
        await accept_seen(conn, context, case.installation_id, by=case.by, reason=case.reason)
    if settled.reckoning is not None:
        await reckonings.add_reckoning(
            conn,
            case.installation_id,
            settled.reckoning,
            from_s=case.reading.at_s,
            by=case.by.subject,
            reason=case.reason,
            at=context.clock.now(),
        )
    return RegisterState(
        installation_id=state.installation_id,
        account_id=state.account_id,
        partition=state.partition,
        at_s=case.reading.at_s,
        register_wh=settled.register_wh,
        max_power_w=state.max_power_w,
        resolution_wh=state.resolution_wh,
        rollover_wh=state.rollover_wh,
        has_readings=True,
        reckoning=settled.reckoning or state.reckoning,
    )


async def _judge_anew(
    conn: AsyncConnection, context: Context, case: _Case, state: RegisterState, columns: Columns
) -> None:
    """What waits for the same cause: earlier ones are past, later ones may now be good."""
    waiting = await _waiting(conn, case)
    after = [reading for reading in waiting if reading.at_s > case.reading.at_s]
    validated = validate_readings(
        [reading.installation_id for reading in after],
        [reading.at_s for reading in after],
        [reading.shown_wh for reading in after],
        register_states={state.installation_id: state},
        latest_s=context.latest_s(),
    )
    good = [reading for index, reading in enumerate(after) if index not in validated.others]
    accepted = validated.accepted.get(state.partition, ([], [], [], []))
    for column, more in zip(columns, accepted, strict=True):
        column.extend(more)
    registers = dict(zip((reading.held_id for reading in good), accepted[3], strict=True))
    await _decide(conn, context, case, registers, "released", follows=True)
    origins = [(reading.at_s, reading.shown_wh, reading.held_id) for reading in good]
    await readings.add_origins(conn, case.installation_id, origins, how="released")
    past = [reading.held_id for reading in waiting if reading.at_s <= case.reading.at_s]
    nothing_new = {Verdict.UNCHANGED, Verdict.DUPLICATE}
    past += [after[index].held_id for index, v in validated.others.items() if v in nothing_new]
    await _decide(conn, context, case, dict.fromkeys(past), "superseded", follows=True)


async def _waiting(conn: AsyncConnection, case: _Case) -> list[HeldReading]:
    found = await held.open_of(conn, case.installation_id, reasons=[case.reading.reason])
    return [reading for reading in found if reading.held_id != case.reading.held_id]


async def _decide(
    conn: AsyncConnection,
    context: Context,
    case: _Case,
    decided: Mapping[int, int | None],
    decision: rules.State,
    *,
    follows: bool = False,
) -> None:
    await held.decide(
        conn,
        list(decided.items()),
        decision=decision,
        by=case.by.subject,
        reason=f"follows {case.reading.held_id}: {case.reason}" if follows else case.reason,
        at=context.clock.now(),
    )


async def _audit(
    conn: AsyncConnection,
    context: Context,
    case: _Case,
    decision: Literal["released", "corrected", "rejected"],
    facts: audit_trail.Facts,
) -> None:
    reading = case.reading
    await audit_trail.note(
        conn,
        case.by,
        f"held_reading_{decision}",
        subject=f"held-reading:{reading.held_id}",
        now=context.clock.now(),
        reason=case.reason,
        before={"state": reading.state, "shown_wh": reading.shown_wh},
        after={"state": decision, **facts},
    )


async def _tell(
    conn: AsyncConnection, context: Context, case: _Case, state: RegisterState, columns: Columns
) -> None:
    """The readings; before them, once no fall waits any more, that billing may go on."""
    lifts = []
    if case.reading.reason == rules.STOPS_BILLING:
        lifts = await _lift(conn, context, case)
    if lifts or columns[0]:
        await keep_readings(conn, {state.partition: columns}, lifts=lifts)


async def _lift(conn: AsyncConnection, context: Context, case: _Case) -> list[HoldLift]:
    last = await held.last_settled(conn, case.installation_id, reason=case.reading.reason)
    if last is None:
        return []
    await clear_alarm(
        conn,
        context,
        installation_id=case.installation_id,
        kind=rules.REGISTER_FELL,
        detail=case.reason,
    )
    near = await readings.neighbours(conn, case.installation_id, case.reading.at_s)
    lift = hold_lift(
        case.installation_id, last, before=near.before, by=case.by.subject, note=case.reason
    )
    return [lift]
