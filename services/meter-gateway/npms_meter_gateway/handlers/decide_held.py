"""A person decides of a reading that was not believed; what follows from it is done at once."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain import held as rules
from npms_meter_gateway.domain.held import Neighbours, Settled, Unfit
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reckoning import Reckoning
from npms_meter_gateway.domain.validation import Columns, RegisterState, Verdict, validate_readings
from npms_meter_gateway.handlers.keep_readings import keep_readings
from npms_meter_gateway.handlers.raise_event import clear_alarm
from npms_meter_gateway.handlers.register_states import registers_of, take_register_state
from npms_meter_gateway.handlers.suspect_meter import trust_meter
from npms_meter_gateway.handlers.watch_serial import accept_seen
from npms_meter_gateway.storage import held, readings, reckonings
from npms_shared.clock import Clock
from npms_shared.contracts.meter_gateway import HoldLift
from npms_shared.db.engine import Database

Settle = Callable[[RegisterState, Neighbours, Reckoning, int, int], Settled]
"""From register state, neighbours, reckoning, taken_at_s and what the meter showed."""


class UnknownHeld(Exception):
    pass


class HeldDecided(Exception):
    """What a person has decided stands."""


@dataclass(frozen=True, slots=True)
class Word:
    """Who decides, and why."""

    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Case:
    """One held reading in hand: as it came, and its installation, None where nobody knows it."""

    held_id: int
    installation_id: int
    at_s: int
    shown_wh: int
    cause: str
    register_state: RegisterState | None


class HeldDesk:
    """Each decision is one transaction: what is decided, stored, told and judged anew."""

    def __init__(
        self,
        database: Database,
        profiles: Mapping[str, Profile],
        clock: Clock,
        *,
        future_tolerance_s: int = 300,
    ) -> None:
        self._database, self._clock = database, clock
        self._registers = registers_of(profiles)
        self._tolerance = timedelta(seconds=future_tolerance_s)

    async def release(self, held_id: int, word: Word) -> None:
        """Believe what the meter showed. Raises UnknownHeld, HeldDecided, Unfit."""

        def settle(
            register_state: RegisterState,
            near: Neighbours,
            reckoning: Reckoning,
            at_s: int,
            shown_wh: int,
        ) -> Settled:
            return rules.release(
                register_state,
                near,
                reckoning,
                at_s=at_s,
                shown_wh=shown_wh,
                latest_s=self._latest_s(),
            )

        await self._accept(held_id, word, "released", settle)

    async def correct(
        self, held_id: int, word: Word, *, register_wh: int, counts_on: bool | None
    ) -> None:
        """Put a register in its place. Raises UnknownHeld, HeldDecided, Unfit.

        Without a word on it, a meter whose register fell counts on from there; others do not.
        """

        def settle(
            register_state: RegisterState,
            near: Neighbours,
            reckoning: Reckoning,
            at_s: int,
            shown_wh: int,
        ) -> Settled:
            fell = shown_wh < reckoning.raw(near.before[1]) if counts_on is None else counts_on
            return rules.correct(
                register_state,
                near,
                reckoning,
                at_s=at_s,
                shown_wh=shown_wh,
                register_wh=register_wh,
                counts_on=fell,
                latest_s=self._latest_s(),
            )

        await self._accept(held_id, word, "corrected", settle)

    async def reject(self, held_id: int, word: Word, *, all_of_cause: bool = False) -> None:
        """Believe nothing of it; with `all_of_cause` of none of the installation that wait for the
        same reason. Raises UnknownHeld, HeldDecided.
        """
        async with self._database.transaction() as conn:
            case = await self._open(conn, held_id)
            ids = {held_id}
            if all_of_cause:
                ids |= {row.held_id for row in await self._waiting(conn, case)}
            await self._note(conn, dict.fromkeys(ids), "rejected", word)
            if case.register_state is not None:
                await self._tell(conn, case, case.register_state, ([], [], [], []), word)

    async def _accept(
        self,
        held_id: int,
        word: Word,
        decision: Literal["released", "corrected"],
        settle: Settle,
    ) -> None:
        async with self._database.transaction() as conn:
            case = await self._open(conn, held_id)
            register_state = case.register_state
            if register_state is None:
                raise Unfit("unknown_installation", "nobody has opened the installation")
            near = await readings.neighbours(conn, case.installation_id, case.at_s)
            reckoning = await reckonings.reckoning_at(conn, case.installation_id, case.at_s)
            settled = settle(register_state, near, reckoning, case.at_s, case.shown_wh)
            await self._note(conn, {held_id: settled.register_wh}, decision, word)
            origin = (case.at_s, case.shown_wh, held_id)
            await readings.add_origins(conn, case.installation_id, [origin], how=decision)
            columns: Columns = (
                [case.installation_id],
                [register_state.account_id],
                [case.at_s],
                [settled.register_wh],
            )
            if near.after is None:
                register_state = await self._move(conn, case, register_state, settled, word)
                await self._judge_anew(conn, case, register_state, columns, word)
            await self._tell(conn, case, register_state, columns, word)

    async def _open(self, conn: AsyncConnection, held_id: int) -> Case:
        """The undecided reading, locked after its partition's turn is taken, as recorders do."""
        seen = await held.find_held(conn, held_id)
        if seen is None:
            raise UnknownHeld
        register_state = await take_register_state(conn, seen.installation_id, self._registers)
        row = await held.find_held(conn, held_id, lock=True)
        if row is None:
            raise UnknownHeld
        if row.state not in rules.UNDECIDED:
            raise HeldDecided
        return Case(
            held_id=held_id,
            installation_id=row.installation_id,
            at_s=int(row.taken_at.timestamp()),
            shown_wh=int(row.register_wh),
            cause=row.reason,
            register_state=register_state,
        )

    async def _move(
        self,
        conn: AsyncConnection,
        case: Case,
        register_state: RegisterState,
        settled: Settled,
        word: Word,
    ) -> RegisterState:
        """The register state after the reading, which is its last."""
        if case.cause == Verdict.FOREIGN_METER:
            await trust_meter(conn, self._clock, case.installation_id, afresh=True)
            await accept_seen(
                conn, self._clock, case.installation_id, by=word.by, reason=word.reason
            )
        if settled.reckoning is not None:
            await reckonings.add_reckoning(
                conn,
                case.installation_id,
                settled.reckoning,
                from_s=case.at_s,
                by=word.by,
                reason=word.reason,
                at=self._clock.now(),
            )
        return RegisterState(
            installation_id=register_state.installation_id,
            account_id=register_state.account_id,
            partition=register_state.partition,
            at_s=case.at_s,
            register_wh=settled.register_wh,
            max_power_w=register_state.max_power_w,
            resolution_wh=register_state.resolution_wh,
            rollover_wh=register_state.rollover_wh,
            has_readings=True,
            reckoning=settled.reckoning or register_state.reckoning,
        )

    async def _judge_anew(
        self,
        conn: AsyncConnection,
        case: Case,
        register_state: RegisterState,
        columns: Columns,
        word: Word,
    ) -> None:
        """What waits for the same cause: earlier ones are past, later ones may now be good."""
        waiting = await self._waiting(conn, case)
        after = [row for row in waiting if row.at_s > case.at_s]
        validated = validate_readings(
            [row.installation_id for row in after],
            [row.at_s for row in after],
            [int(row.register_wh) for row in after],
            register_states={register_state.installation_id: register_state},
            latest_s=self._latest_s(),
        )
        good = [row for index, row in enumerate(after) if index not in validated.others]
        accepted = validated.accepted.get(register_state.partition, ([], [], [], []))
        for column, more in zip(columns, accepted, strict=True):
            column.extend(more)
        registers = dict(zip((row.held_id for row in good), accepted[3], strict=True))
        follows = Word(word.by, f"follows {case.held_id}: {word.reason}")
        await self._note(conn, registers, "released", follows)
        origins = [(row.at_s, int(row.register_wh), row.held_id) for row in good]
        await readings.add_origins(conn, case.installation_id, origins, how="released")
        past = [row.held_id for row in waiting if row.at_s <= case.at_s]
        nothing_new = {Verdict.UNCHANGED, Verdict.DUPLICATE}
        past += [after[index].held_id for index, v in validated.others.items() if v in nothing_new]
        await self._note(conn, dict.fromkeys(past), "superseded", follows)

    async def _waiting(self, conn: AsyncConnection, case: Case) -> list[Row[Any]]:
        rows = await held.open_of(conn, case.installation_id, reasons=[case.cause])
        return [row for row in rows if row.held_id != case.held_id]

    async def _note(
        self,
        conn: AsyncConnection,
        decided: Mapping[int, int | None],
        decision: rules.State,
        word: Word,
    ) -> None:
        await held.decide(
            conn,
            list(decided.items()),
            decision=decision,
            by=word.by,
            reason=word.reason,
            at=self._clock.now(),
        )

    async def _tell(
        self,
        conn: AsyncConnection,
        case: Case,
        register_state: RegisterState,
        columns: Columns,
        word: Word,
    ) -> None:
        """The readings; before them, once no fall waits any more, that billing may go on."""
        lifts = []
        if case.cause == rules.STOPS_BILLING:
            last = await held.last_settled(conn, case.installation_id, reason=case.cause)
            if last is not None:
                await clear_alarm(
                    conn,
                    self._clock,
                    installation_id=case.installation_id,
                    kind=rules.REGISTER_FELL,
                    detail=word.reason,
                )
                near = await readings.neighbours(conn, case.installation_id, case.at_s)
                lifts.append(
                    HoldLift(
                        installation_id=case.installation_id,
                        taken_at_s=last[0],
                        register_wh=last[1],
                        last_register_wh=near.before[1],
                        by=word.by,
                        note=word.reason,
                    )
                )
        if lifts or columns[0]:
            await keep_readings(conn, {register_state.partition: columns}, lifts=lifts)

    def _latest_s(self) -> int:
        latest: datetime = self._clock.now() + self._tolerance
        return int(latest.timestamp())
