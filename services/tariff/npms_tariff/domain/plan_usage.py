"""What all installations of a plan version used, added up from their closed hours.

An hour counts for the version in force when it began: a version that begins within an
hour has its part of that hour with the one before.
"""

from collections.abc import Iterable, Mapping

from npms_tariff.domain.calendar import Calendar, local_day
from npms_tariff.domain.state import ClosedHour, RatingState

PlanRow = tuple[int, int, int, int, int, int, int]
"""(plan version, partition, hour's first second, local day as yyyymmdd, installation hours, energy
Wh, amount micro): what is alike but for the sums may come twice, of two time zones."""

CORRECTIONS = -2
"""What is written for a partition of its own by corrections, which have one writer too."""


class _Sum:
    """The hours that begin at one instant under one calendar, and where they count."""

    __slots__ = ("amount_micro", "day", "energy_wh", "hours", "version_id")

    def __init__(self, state: RatingState, hour_s: int) -> None:
        """Those of before the first version count where rating stands."""
        cell = state.calendar.cell_at(hour_s)
        self.version_id = cell.tariff.version_id if cell is not None else state.plan_version_id
        day = local_day(hour_s, state.calendar.zone)
        self.day = day.year * 10_000 + day.month * 100 + day.day
        self.hours = self.energy_wh = self.amount_micro = 0


class PlanUsage:
    """Sums of one transaction, by the partition that writes them."""

    def __init__(self) -> None:
        self._sums: dict[tuple[int, int, Calendar], _Sum] = {}

    def correct(self, state: RatingState, deltas: Iterable[ClosedHour]) -> None:
        """What hours of one installation change by; they count once as they did."""
        self.add(CORRECTIONS, deltas, {state.installation_id: state})
        for counted in self._sums.values():
            counted.hours = 0

    def add(
        self, partition: int, hours: Iterable[ClosedHour], states: Mapping[int, RatingState]
    ) -> None:
        """`states` has the state of every installation in `hours`."""
        sums = self._sums
        for installation_id, hour_s, energy_wh, amount_micro in hours:
            state = states[installation_id]
            key = (partition, hour_s, state.calendar)
            added = sums.get(key)
            if added is None:
                added = sums[key] = _Sum(state, hour_s)
            added.hours += 1
            added.energy_wh += energy_wh
            added.amount_micro += amount_micro

    def rows(self) -> list[PlanRow]:
        """In an order by which whoever else writes them waits in the same one."""
        return sorted(
            (
                counted.version_id,
                partition,
                hour_s,
                counted.day,
                counted.hours,
                counted.energy_wh,
                counted.amount_micro,
            )
            for (partition, hour_s, _), counted in self._sums.items()
        )
