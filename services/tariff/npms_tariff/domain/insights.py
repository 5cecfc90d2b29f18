"""What an account's use says about it: whether it rises, what never sleeps, when most is used.

All from full local days; figures are rounded for people, nothing is charged by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from statistics import median

TREND_DAYS = 28
"""Four weeks: as many of each weekday on both sides."""
DAYS_NEEDED = 7
PEAK_HOURS = 3
LEAST_OTHERS = 10
"""Fewer other accounts would tell of one of them."""


@dataclass(frozen=True, slots=True)
class Day:
    """A full local day."""

    day: date
    energy_wh: int
    amount_micro: int


@dataclass(frozen=True, slots=True)
class Change:
    """Use now and before; `percent` is None where there was none before."""

    energy_wh: int
    before_wh: int

    @property
    def percent(self) -> float | None:
        if self.before_wh <= 0:
            return None
        return round(100 * (self.energy_wh - self.before_wh) / self.before_wh, 1)


@dataclass(frozen=True, slots=True)
class PeakHour:
    """A local hour of the day: its average use, and its share of all use."""

    hour: int
    energy_wh: int
    percent: float


def trend(days: Sequence[Day]) -> Change | None:
    """The last four weeks against the four before; None with less than eight weeks."""
    if len(days) < 2 * TREND_DAYS:
        return None
    now, before = days[-TREND_DAYS:], days[-2 * TREND_DAYS : -TREND_DAYS]
    return Change(sum(day.energy_wh for day in now), sum(day.energy_wh for day in before))


def base_load_w(by_day: Mapping[date, Sequence[int]]) -> int | None:
    """The power that is drawn always: the least hour of each day, the middle one of all days.

    `by_day` has the Wh of each hour of each full day.
    """
    if len(by_day) < DAYS_NEEDED:
        return None
    return int(median(min(hours) for hours in by_day.values()))


def peak_hours(by_hour: Mapping[int, Sequence[int]], days: int) -> list[PeakHour] | None:
    """The hours of the day in which most is used, the highest first; None with too few days.

    `by_hour` has what was used in each local hour of the day, once a day.
    """
    total = sum(map(sum, by_hour.values()))
    if days < DAYS_NEEDED or total <= 0:
        return None
    sums = sorted(((sum(used), -hour) for hour, used in by_hour.items()), reverse=True)
    return [
        PeakHour(-hour, used // days, round(100 * used / total, 1))
        for used, hour in sums[:PEAK_HOURS]
        if used > 0
    ]
