"""Readings that come to us, each of a meter's serial or of an installation: all ways in end here.

However a reading came, it is judged and stored as a polled one is.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.record_readings import Outcome, ReadingRecorder, Readings
from npms_meter_gateway.storage import installations
from npms_shared.db.engine import Database


@dataclass(frozen=True, slots=True)
class Given:
    """What a `meter`, by its serial (text) or its installation (number), showed at a moment."""

    meter: int | str
    taken_at_s: int
    register_wh: int


@dataclass(frozen=True, slots=True)
class Taken:
    """In the order given: what became of each reading, and whose it is, if that is known."""

    accepted: int
    verdicts: Sequence[Verdict]
    installation_ids: Sequence[int | None]


ForPolled = Literal["refuse", "mark"]


class ReadingDesk:
    """Finds whose the readings are and has them judged in the order of their moments.

    What is sent for a meter that we read ourselves is refused, or taken with a mark: nobody should
    write a meter's readings for it unseen.
    """

    def __init__(
        self, database: Database, recorder: ReadingRecorder, for_polled: ForPolled = "refuse"
    ) -> None:
        self._database, self._recorder, self._for_polled = database, recorder, for_polled

    async def take(self, given: Sequence[Given], *, source: str, dry_run: bool = False) -> Taken:
        """All in one transaction; given again, nothing changes. `dry_run` only judges."""
        ids = await self._installations(given)
        polled = await self._polled(ids)
        refused = polled if self._for_polled == "refuse" else frozenset()
        found = [i for i, known in enumerate(ids) if known is not None and known not in refused]
        found.sort(key=lambda index: given[index].taken_at_s)
        readings = _columns(given, ids, found)
        if dry_run:
            outcome = await self._recorder.rehearse(readings, source=source)
        else:
            marked = polled - refused
            outcome = await self._recorder.record_readings(readings, source=source, marked=marked)
        return Taken(outcome.accepted, _verdicts(ids, found, outcome), ids)

    async def _polled(self, ids: Sequence[int | None]) -> frozenset[int]:
        known = {one for one in ids if one is not None}
        if not known:
            return frozenset()
        async with self._database.connect() as conn:
            return await installations.polled_of(conn, known)

    async def _installations(self, given: Sequence[Given]) -> list[int | None]:
        serials = {one.meter for one in given if isinstance(one.meter, str)}
        named: dict[str, int] = {}
        if serials:
            async with self._database.connect() as conn:
                named = await installations.of_serials(conn, serials)
        return [named.get(m) if isinstance(m := one.meter, str) else m for one in given]


def _columns(given: Sequence[Given], ids: Sequence[int | None], found: Sequence[int]) -> Readings:
    return Readings(
        [known for index in found if (known := ids[index]) is not None],
        [given[index].taken_at_s for index in found],
        [given[index].register_wh for index in found],
    )


def _verdicts(ids: Sequence[int | None], found: Sequence[int], outcome: Outcome) -> list[Verdict]:
    verdicts = [Verdict.UNKNOWN_SERIAL if one is None else Verdict.POLLED_METER for one in ids]
    for place, index in enumerate(found):
        verdicts[index] = outcome.others.get(place, Verdict.ACCEPTED)
    return verdicts
