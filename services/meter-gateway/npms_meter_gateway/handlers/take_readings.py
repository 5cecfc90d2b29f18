"""Readings that come to us, each of a meter's serial or of an installation: all ways in end here.

However a reading came, it is judged and stored as a polled one is. What is sent for a meter that we
read ourselves is refused, or taken with a mark: nobody should write a meter's readings for it
unseen.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.record_readings import Outcome, ReadingRecorder, Readings
from npms_meter_gateway.storage import installations
from npms_shared.actor import Actor
from npms_shared.db import audit_trail


@dataclass(frozen=True, slots=True)
class SentReading:
    """What a `meter`, by its serial (text) or its installation (number), showed at a moment."""

    meter: int | str
    taken_at_s: int
    register_wh: int


@dataclass(frozen=True, slots=True)
class Taken:
    """In the order sent: what became of each reading, and whose it is, if that is known."""

    accepted: int
    verdicts: Sequence[Verdict]
    installation_ids: Sequence[int | None]


@dataclass(frozen=True, slots=True)
class Import:
    """Who imports a file, told by the first digits of its SHA-256."""

    by: Actor
    digest: str


@dataclass(frozen=True, slots=True)
class _Found:
    """Whose the readings are; `order` are the places of those to judge, by their moments."""

    ids: Sequence[int | None]
    order: Sequence[int]
    marked: frozenset[int]


async def take_readings(
    recorder: ReadingRecorder,
    sent: Sequence[SentReading],
    *,
    source: str,
    noted: Import | None = None,
) -> Taken:
    """All in one transaction of the recorder, whose turn is not held while it is looked up whose
    they are; sent again, nothing changes.
    """
    found = await _find(recorder, sent)
    async with recorder.transaction() as conn:
        outcome = await recorder.record(
            conn, _columns(sent, found), source=source, marked=found.marked
        )
        if noted is not None:
            await _note(conn, recorder, noted, len(sent), outcome)
    return _taken(found, outcome)


async def rehearse_readings(
    recorder: ReadingRecorder, sent: Sequence[SentReading], *, source: str
) -> Taken:
    """What `take_readings` would answer now; nothing is stored."""
    found = await _find(recorder, sent)
    return _taken(found, await recorder.rehearse(_columns(sent, found), source=source))


async def _find(recorder: ReadingRecorder, sent: Sequence[SentReading]) -> _Found:
    async with recorder.context.database.connect() as conn:
        ids = await _installations(conn, sent)
        known = {found for found in ids if found is not None}
        polled = await installations.polled_of(conn, known) if known else frozenset()
    refused = polled if recorder.context.sent_for_polled == "refuse" else frozenset()
    order = [i for i, found in enumerate(ids) if found is not None and found not in refused]
    order.sort(key=lambda index: sent[index].taken_at_s)
    return _Found(ids, order, polled - refused)


async def _installations(conn: AsyncConnection, sent: Sequence[SentReading]) -> list[int | None]:
    serials = {reading.meter for reading in sent if isinstance(reading.meter, str)}
    named = await installations.of_serials(conn, serials) if serials else {}
    return [named.get(m) if isinstance(m := reading.meter, str) else m for reading in sent]


def _columns(sent: Sequence[SentReading], found: _Found) -> Readings:
    return Readings(
        [known for index in found.order if (known := found.ids[index]) is not None],
        [sent[index].taken_at_s for index in found.order],
        [sent[index].register_wh for index in found.order],
    )


async def _note(
    conn: AsyncConnection, recorder: ReadingRecorder, noted: Import, lines: int, outcome: Outcome
) -> None:
    await audit_trail.note(
        conn,
        noted.by,
        "readings_imported",
        subject=f"reading-import:{noted.digest}",
        now=recorder.context.clock.now(),
        after={"lines": lines, "accepted": outcome.accepted},
    )


def _taken(found: _Found, outcome: Outcome) -> Taken:
    verdicts = [
        Verdict.UNKNOWN_SERIAL if known is None else Verdict.POLLED_METER for known in found.ids
    ]
    for place, index in enumerate(found.order):
        verdicts[index] = outcome.others.get(place, Verdict.ACCEPTED)
    return Taken(outcome.accepted, verdicts, found.ids)
