"""What a day without readings is taken to cost, until readings catch up.

An estimated day uses the mean of the last days before the silence, evenly, and costs what it
would by the plan in force if it had been read: with the days' fixed charges, in the month's blocks.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import day_start_s, local_day
from npms_tariff.domain.rating import rate
from npms_tariff.domain.state import Charge, Rated, RatingState

DAYS_OF_USE = 7
"""As many days before the silence make the mean, at most."""
MOST_DAYS = 62
"""No silence is estimated further: somebody must see to the meter."""
_DAY = timedelta(days=1)

Span = tuple[int, int]
"""[from, to) in seconds."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A local day [day_s, end_s); the lines sum to the amount."""

    day_s: int
    end_s: int
    plan_version_id: int
    energy_wh: int
    lines: list[ChargeLine]

    @property
    def amount_micro(self) -> int:
        return sum(line[4] for line in self.lines)


def silent_days(read_at_s: int, now_s: int, zone: ZoneInfo) -> list[Span]:
    """The whole local days between the last reading and now, the first of them at most."""
    spans: list[Span] = []
    day = local_day(read_at_s, zone)
    if day_start_s(day, zone) < read_at_s:
        day += _DAY
    while (end_s := day_start_s(day + _DAY, zone)) <= now_s and len(spans) < MOST_DAYS:
        spans.append((day_start_s(day, zone), end_s))
        day += _DAY
    return spans


def days_of_use(read_at_s: int, opened_s: int, zone: ZoneInfo) -> Iterator[Span]:
    """Whole local days rated before the last reading's, the latest first."""
    day = local_day(read_at_s, zone) - _DAY
    while (begin_s := day_start_s(day, zone)) >= opened_s:
        yield begin_s, day_start_s(day + _DAY, zone)
        day -= _DAY


def usual_wh(hours: Mapping[int, int], days: Sequence[Span]) -> int:
    """The mean energy of some days, rounded down; `hours` has energy by the hour's beginning."""
    if not days:
        return 0
    used = sum(wh for at_s, wh in hours.items() if any(b <= at_s < e for b, e in days))
    return used // len(days)


def estimate(state: RatingState, days: Sequence[Span], daily_wh: int) -> list[Estimate]:
    """Rate days that follow one another as if each had used `daily_wh`; uses the state up.

    What is left of the last reading's day passes at the same pace, uncharged.
    Raises NoPlanInForce.
    """
    first_s = days[0][0]
    if state.read_at_s < first_s:
        rest_wh = daily_wh * (first_s - state.read_at_s) // 86_400
        rate(state, first_s, state.register_wh + rest_wh, Rated())
    estimates = []
    for day_s, end_s in days:
        rated = Rated()
        rate(state, end_s, state.register_wh + daily_wh, rated)
        lines = summed(rated.charges)
        estimates.append(Estimate(day_s, end_s, state.plan_version_id, daily_wh, lines))
    return estimates


def summed(charges: Sequence[Charge]) -> list[ChargeLine]:
    """The lines of several charges as one charge's."""
    return total_lines(line for charge in charges for line in charge[-1])


def total_lines(lines: Iterator[ChargeLine], sign: int = 1) -> list[ChargeLine]:
    """Lines of the same component, period and block put together; `sign` -1 takes them back."""
    totals: dict[tuple[str, str, int], list[int]] = {}
    for component, period, block, energy_wh, amount_micro in lines:
        total = totals.setdefault((component, period, block), [0, 0])
        total[0] += sign * energy_wh
        total[1] += sign * amount_micro
    return [(*key, wh, micro) for key, (wh, micro) in totals.items() if wh or micro]
