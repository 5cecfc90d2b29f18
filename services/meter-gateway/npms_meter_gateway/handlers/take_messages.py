"""Messages with readings: taken together in one transaction; what cannot be is kept, with why."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.relay import Seen
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.note_sights import MeterSight, note_sights
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_readings import SentReading, Taken, take_readings
from npms_meter_gateway.storage import parked_payloads
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

    reading: SentReading
    power_w: int | None = None
    voltage_mv: int | None = None
    relay: Seen | None = None

    @property
    def is_sight(self) -> bool:
        return any(value is not None for value in (self.power_w, self.voltage_mv, self.relay))


@dataclass(frozen=True, slots=True)
class Message:
    """As it came, and what it says, or why it says nothing."""

    topic: str
    body: bytes
    says: Sequence[Reported] | Unreadable


async def take_messages(recorder: ReadingRecorder, messages: Sequence[Message]) -> int:
    """After it returns nothing of them can be lost; taken again, nothing changes: so readings, what
    else was told and what is parked each have a transaction, and the recorder's turn is short.

    Returns how many were parked: those that are unreadable, and those with a reading of a
    serial that nobody has; the other readings of such a one are taken.
    """
    read = [(m, m.says) for m in messages if not isinstance(m.says, Unreadable)]
    reported = [reading for _, says in read for reading in says]
    faults = [(m, m.says) for m in messages if isinstance(m.says, Unreadable)]
    if reported:
        taken = await take_readings(recorder, [r.reading for r in reported], source=SOURCE)
        await _note(recorder.context, reported, taken)
        faults += _strangers(read, taken)
    if faults:
        async with recorder.context.database.transaction() as conn:
            await park_messages(conn, recorder.context, faults)
    return len(faults)


async def take_again(recorder: ReadingRecorder, message: Message) -> None:
    """A parked message once more, in the recorder's transaction. Raises Unprocessable where
    something is still wrong with it.
    """
    if isinstance(message.says, Unreadable):
        raise Unprocessable(message.says.code, message.says.detail)
    taken = await take_readings(recorder, [r.reading for r in message.says], source=SOURCE)
    for _, fault in _strangers([(message, message.says)], taken):
        raise Unprocessable(fault.code, fault.detail)


async def park_messages(
    conn: AsyncConnection, context: Context, faults: Sequence[tuple[Message, Unreadable]]
) -> None:
    """Keep messages for a person to look at; the same content once."""
    for message, fault in faults:
        await parked_payloads.park(
            conn,
            queue=SOURCE,
            topic=message.topic,
            body=message.body,
            code=fault.code,
            reason=fault.detail,
            now=context.clock.wall_now(),
        )


async def _note(context: Context, reported: Sequence[Reported], taken: Taken) -> None:
    sights = [
        _sight(reading, installation_id)
        for reading, installation_id, verdict in zip(
            reported, taken.installation_ids, taken.verdicts, strict=True
        )
        if installation_id is not None and verdict in SEEN and reading.is_sight
    ]
    if sights:
        sights.sort(key=lambda sight: sight.seen_at)
        async with context.database.transaction() as conn:
            await note_sights(conn, context, sights)


def _sight(reported: Reported, installation_id: int) -> MeterSight:
    answer = MeterAnswer.of(
        power_w=reported.power_w, voltage_mv=reported.voltage_mv, relay=reported.relay
    )
    seen_at = datetime.fromtimestamp(reported.reading.taken_at_s, UTC)
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
        own = [(next(verdicts), reported.reading.meter) for reported in says]
        for verdict, words in _NOT_KEPT.items():
            meters = sorted({str(meter) for v, meter in own if v is verdict})
            if meters:
                faults.append((message, Unreadable(verdict, f"{words} {', '.join(meters[:5])}")))
                break
    return faults
