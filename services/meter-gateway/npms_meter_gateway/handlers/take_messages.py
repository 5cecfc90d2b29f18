"""Messages with readings: taken together in one transaction; what cannot be is kept, with why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.relay import Seen
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.note_sights import MeterSight, note_sights
from npms_meter_gateway.handlers.take_readings import Given, ReadingDesk, Taken
from npms_meter_gateway.storage import parked_payloads
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.messaging.subscriptions import Unprocessable

SEEN = frozenset({Verdict.ACCEPTED, Verdict.UNCHANGED})
SOURCE = "mqtt"


class Unreadable(Exception):
    """A message that says no readings; it is parked under this code."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Reported:
    """A reading with what else the meter told; None for what it did not."""

    given: Given
    power_w: int | None = None
    voltage_mv: int | None = None
    relay: Seen | None = None

    @property
    def is_sight(self) -> bool:
        return any(one is not None for one in (self.power_w, self.voltage_mv, self.relay))


@dataclass(frozen=True, slots=True)
class Message:
    """As it came, and what it says, or why it says nothing."""

    topic: str
    body: bytes
    says: Sequence[Reported] | Unreadable


class MessageDesk:
    """Takes what was said, keeps aside what was not understood."""

    def __init__(self, database: Database, desk: ReadingDesk, clock: Clock) -> None:
        self._database, self._desk, self._clock = database, desk, clock

    async def take(self, messages: Sequence[Message]) -> int:
        """After it returns nothing of them can be lost; taken again, nothing changes.

        Returns how many were parked: those that are unreadable, and those with a reading of a
        serial that nobody has; the other readings of such a one are taken.
        """
        read = [(m, m.says) for m in messages if not isinstance(m.says, Unreadable)]
        reported = [one for _, says in read for one in says]
        faults = [(m, m.says) for m in messages if isinstance(m.says, Unreadable)]
        if reported:
            taken = await self._desk.take([one.given for one in reported], source=SOURCE)
            await self._note(reported, taken)
            faults += _strangers(read, taken)
        await self.park(faults)
        return len(faults)

    async def take_again(self, message: Message) -> None:
        """A parked message once more; Unprocessable where something is still wrong with it."""
        if isinstance(message.says, Unreadable):
            raise Unprocessable(message.says.code, message.says.detail)
        taken = await self._desk.take([one.given for one in message.says], source=SOURCE)
        for _, fault in _strangers([(message, message.says)], taken):
            raise Unprocessable(fault.code, fault.detail)

    async def park(self, faults: Sequence[tuple[Message, Unreadable]]) -> None:
        """Keep messages for a person to look at; the same content once."""
        if not faults:
            return
        async with self._database.transaction() as conn:
            for message, fault in faults:
                await parked_payloads.park(
                    conn,
                    queue=SOURCE,
                    topic=message.topic,
                    body=message.body,
                    code=fault.code,
                    reason=fault.detail,
                    now=self._clock.wall_now(),
                )

    async def _note(self, reported: Sequence[Reported], taken: Taken) -> None:
        sights = [
            _sight(one, installation_id)
            for one, installation_id, verdict in zip(
                reported, taken.installation_ids, taken.verdicts, strict=True
            )
            if installation_id is not None and verdict in SEEN and one.is_sight
        ]
        if sights:
            idle_power_w = SwitchingPolicy().idle_power_w
            sights.sort(key=lambda sight: sight.seen_at)
            await note_sights(self._database, self._clock, sights, idle_power_w=idle_power_w)


def _sight(one: Reported, installation_id: int) -> MeterSight:
    answer = MeterAnswer.of(power_w=one.power_w, voltage_mv=one.voltage_mv, relay=one.relay)
    seen_at = datetime.fromtimestamp(one.given.taken_at_s, UTC)
    return MeterSight(installation_id, seen_at, answer)


_NOT_KEPT = {
    Verdict.UNKNOWN_SERIAL: "no installation has, or had, a meter",
    Verdict.POLLED_METER: "read by us, not sent, is the meter",
}


def _strangers(
    read: Sequence[tuple[Message, Sequence[Reported]]], taken: Taken
) -> list[tuple[Message, Unreadable]]:
    """The messages that name a serial which nobody has, or one of a meter that is polled."""
    verdicts = iter(taken.verdicts)
    faults = []
    for message, says in read:
        own = [(next(verdicts), one.given.meter) for one in says]
        for verdict, words in _NOT_KEPT.items():
            meters = sorted({str(meter) for v, meter in own if v is verdict})
            if meters:
                faults.append((message, Unreadable(verdict, f"{words} {', '.join(meters[:5])}")))
                break
    return faults
