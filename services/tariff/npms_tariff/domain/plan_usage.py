"""What all installations of a plan version used, added up from their closed hours.

An hour counts for the version in force when it began: a version that begins within an
hour has its part of that hour with the one before.
"""

from collections.abc import Iterable, Mapping

from npms_tariff.domain.calendar import Calendar, local_day
from npms_tariff.domain.state import ClosedHour, RatingState

Totals = list[int]
"""[hours of installations, energy Wh, amount micro]"""

PlanRow = tuple[int, int, int, int, int, int]
"""(plan version, hour's first second or local day as yyyymmdd, partition, installation hours,
energy Wh, amount micro)"""

Place = tuple[int, int, int]
"""(plan version, hour's first second, local day as yyyymmdd)"""


class PlanUsage:
    """Sums of one transaction, by the partition that writes them."""

    def __init__(self) -> None:
        self._hours: dict[tuple[int, int, int], Totals] = {}
        self._days: dict[tuple[int, int, int], Totals] = {}
        self._places: dict[tuple[Calendar, int], Place] = {}

    def add(
        self, partition: int, hours: Iterable[ClosedHour], states: Mapping[int, RatingState]
    ) -> None:
        """`states` has the state of every installation in `hours`."""
        by_hour, by_day, places = self._hours, self._days, self._places
        for installation_id, hour_s, energy_wh, amount_micro in hours:
            state = states[installation_id]
            known = (state.calendar, hour_s)
            place = places.get(known)
            if place is None:
                place = places[known] = _place(state, hour_s)
            version_id, _, day = place
            for sums, key in (
                (by_hour, (version_id, hour_s, partition)),
                (by_day, (version_id, day, partition)),
            ):
                totals = sums.get(key)
                if totals is None:
                    totals = sums[key] = [0, 0, 0]
                totals[0] += 1
                totals[1] += energy_wh
                totals[2] += amount_micro

    def by_hour(self) -> list[PlanRow]:
        return _rows(self._hours)

    def by_day(self) -> list[PlanRow]:
        return _rows(self._days)


def _place(state: RatingState, hour_s: int) -> Place:
    """Where an hour counts; one that began before the first version, where rating stands."""
    cell = state.calendar.cell_at(hour_s)
    version_id = cell.tariff.version_id if cell is not None else state.plan_version_id
    day = local_day(hour_s, state.calendar.zone)
    return version_id, hour_s, day.year * 10_000 + day.month * 100 + day.day


def _rows(sums: Mapping[tuple[int, int, int], Totals]) -> list[PlanRow]:
    """In the order of their keys, so that whoever else writes them waits in the same order."""
    return [
        (version_id, at, partition, hours, energy_wh, amount_micro)
        for (version_id, at, partition), (hours, energy_wh, amount_micro) in sorted(sums.items())
    ]
