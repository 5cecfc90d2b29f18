"""Readings come in, are judged, stored once and told by partition: the start of the hot path."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Mapping, Set
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.held import REGISTER_FELL
from npms_meter_gateway.domain.reckoning import shown
from npms_meter_gateway.domain.validation import (
    NOTHING_NEW,
    RegisterState,
    ValidatedReadings,
    Verdict,
    validate_readings,
)
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.keep_readings import keep_readings
from npms_meter_gateway.handlers.raise_event import raise_alarm
from npms_meter_gateway.handlers.register_states import registers_of
from npms_meter_gateway.outgoing import register_fell
from npms_meter_gateway.storage import held as held_storage
from npms_meter_gateway.storage import readings as storage
from npms_shared.messaging import outbox


@dataclass(frozen=True, slots=True)
class Readings:
    """Columns of one length: `taken_at_s` in epoch seconds, `register_wh` as the meter shows."""

    installation_id: list[int]
    taken_at_s: list[int]
    register_wh: list[int]

    def __len__(self) -> int:
        return len(self.installation_id)


@dataclass(frozen=True, slots=True)
class Outcome:
    """`others` has the verdict of every reading that was not accepted, by its index."""

    accepted: int
    others: Mapping[int, Verdict] = field(default_factory=dict)


class ReadingRecorder:
    """Keeps every installation's last accepted reading in memory, and proves it at each write.

    A partition's cursor tells whether another process wrote since: then what was cached of the
    partition is read again before anything is judged. What is in memory is as true as what has
    committed, so the recorder opens the transactions in which it records.
    """

    def __init__(self, context: Context) -> None:
        self.context = context
        self._registers = registers_of(context.profiles)
        self._register_states: dict[int, RegisterState] = {}
        self._members: dict[int, list[int]] = {}
        self._versions: dict[int, int] = {}
        self._recorded: list[tuple[Outcome, dict[int, int]]] = []
        self._turn = asyncio.Lock()

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """For `record`: one at a time. All of it commits or nothing; after an exception the same
        readings can be given again.
        """
        async with self._turn:
            self._recorded = []
            try:
                async with self.context.database.transaction() as conn:
                    yield conn
            except BaseException:
                self._forget_all()
                raise
            for outcome, versions in self._recorded:
                self._versions.update(versions)
                _count(outcome)

    async def record_readings(
        self, readings: Readings, *, source: str, marked: Set[int] = frozenset()
    ) -> Outcome:
        """`record` in a transaction of its own."""
        if not len(readings):
            return Outcome(0)
        async with self.transaction() as conn:
            return await self.record(conn, readings, source=source, marked=marked)

    async def record(
        self,
        conn: AsyncConnection,
        readings: Readings,
        *,
        source: str,
        marked: Set[int] = frozenset(),
    ) -> Outcome:
        """Store and tell what is good, hold what is not; `source` is kept with the latter. What is
        stored of the `marked` installations bears the mark that it was sent.

        Readings of one installation are judged in the given order. Inside `transaction`.
        """
        if not len(readings):
            return Outcome(0)
        validated, versions = await self._record(conn, readings, source)
        if marked:
            await _mark(conn, readings, validated, marked)
        outcome = Outcome(len(readings) - len(validated.others), validated.others)
        self._recorded.append((outcome, versions))
        return outcome

    async def rehearse(self, readings: Readings, *, source: str) -> Outcome:
        """What `record_readings` would answer now; nothing is stored, held, told or counted."""
        async with self._turn:
            try:
                async with self.context.database.connect() as conn:
                    validated, _ = await self._record(conn, readings, source)
            finally:
                self._forget_all()
        return Outcome(len(readings) - len(validated.others), validated.others)

    async def _record(
        self, conn: AsyncConnection, readings: Readings, source: str
    ) -> tuple[ValidatedReadings, dict[int, int]]:
        versions = await self._prove_states(conn, readings.installation_id)
        validated = validate_readings(
            readings.installation_id,
            readings.taken_at_s,
            readings.register_wh,
            register_states=self._register_states,
            latest_s=self.context.latest_s(),
        )
        if validated.others:
            await self._judge_late(conn, readings, validated)
            await self._hold(conn, readings, validated, source)
        if validated.accepted:
            await keep_readings(conn, validated.accepted)
        return validated, versions

    async def _prove_states(
        self, conn: AsyncConnection, installation_ids: list[int]
    ) -> dict[int, int]:
        """Bring every state asked for up to date, its partition's cursor held by us."""
        asked = set(installation_ids)
        await self._load(conn, asked - self._register_states.keys())
        partitions = {t.partition for i in asked if (t := self._register_states.get(i)) is not None}
        versions = await storage.take_turns(conn, partitions) if partitions else {}
        for partition, version in versions.items():
            if self._versions.get(partition) != version - 1:
                self._forget(partition)
        await self._load(conn, asked - self._register_states.keys())
        return versions

    async def _load(self, conn: AsyncConnection, installation_ids: Iterable[int]) -> None:
        wanted = list(installation_ids)
        if not wanted:
            return
        for state in await storage.load_register_states(conn, wanted, registers=self._registers):
            self._register_states[state.installation_id] = state
            self._members.setdefault(state.partition, []).append(state.installation_id)

    def _forget(self, partition: int) -> None:
        for installation_id in self._members.pop(partition, ()):
            self._register_states.pop(installation_id, None)
        self._versions.pop(partition, None)

    def _forget_all(self) -> None:
        """What did not commit, or may not have, must not be believed."""
        self._register_states.clear()
        self._members.clear()
        self._versions.clear()

    async def _judge_late(
        self, conn: AsyncConnection, readings: Readings, validated: ValidatedReadings
    ) -> None:
        """Tell a reading sent twice from one that comes too late."""
        late = [index for index, verdict in validated.others.items() if verdict is Verdict.LATE]
        if not late:
            return
        moments = [(readings.installation_id[i], readings.taken_at_s[i]) for i in late]
        stored = await storage.raw_registers_at(conn, moments)
        for index, moment in zip(late, moments, strict=True):
            raw_wh = stored.get(moment)
            if raw_wh is not None:
                modulus_wh = self._register_states[moment[0]].rollover_wh
                same = shown(raw_wh, modulus_wh) == readings.register_wh[index]
                validated.others[index] = Verdict.DUPLICATE if same else Verdict.CONFLICT

    async def _hold(
        self, conn: AsyncConnection, readings: Readings, validated: ValidatedReadings, source: str
    ) -> None:
        rejected = [
            (
                readings.installation_id[index],
                readings.taken_at_s[index],
                readings.register_wh[index],
                verdict.value,
            )
            for index, verdict in validated.others.items()
            if verdict not in NOTHING_NEW
        ]
        if rejected:
            await self._tell_falls(conn, rejected)
            now = self.context.clock.wall_now()
            await held_storage.hold_readings(conn, rejected, source=source, now=now)

    async def _tell_falls(
        self, conn: AsyncConnection, rejected: list[tuple[int, int, int, str]]
    ) -> None:
        """The last fall of each meter; rating stops there until a person has looked."""
        fallen = {held[0]: held for held in rejected if held[3] == Verdict.BACKWARDS}
        if not fallen:
            return
        events = [
            (
                register_fell(self._register_states[installation_id], at_s, register_wh),
                str(installation_id),
            )
            for installation_id, at_s, register_wh, _ in fallen.values()
        ]
        await outbox.publish_all(conn, events)
        for installation_id, (_, _, register_wh, _) in fallen.items():
            await self._raise_fall(conn, installation_id, register_wh)

    async def _raise_fall(
        self, conn: AsyncConnection, installation_id: int, register_wh: int
    ) -> None:
        """Open until somebody has decided of it: cleared, exchanged, or tampered with."""
        state = self._register_states[installation_id]
        await raise_alarm(
            conn,
            self.context,
            installation_id=installation_id,
            account_id=state.account_id,
            kind=REGISTER_FELL,
            detail=f"shows {register_wh} Wh after {state.register_wh} Wh; billing is held",
        )


async def _mark(
    conn: AsyncConnection, readings: Readings, validated: ValidatedReadings, marked: Set[int]
) -> None:
    rows = zip(readings.installation_id, readings.taken_at_s, readings.register_wh, strict=True)
    sent = [
        row for index, row in enumerate(rows) if row[0] in marked and index not in validated.others
    ]
    if sent:
        await storage.mark_sent(conn, sent)


def _count(outcome: Outcome) -> None:
    if outcome.accepted:
        metrics.READINGS.labels(verdict=Verdict.ACCEPTED.value).inc(outcome.accepted)
    for verdict in outcome.others.values():
        metrics.READINGS.labels(verdict=verdict.value).inc()
