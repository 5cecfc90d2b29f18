"""Forecasts of the days left against what then happened, and against the naive forecast."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from npms_tariff.domain.forecast import (
    DAYS_USED,
    Profile,
    days_left,
    naive_profile,
    weekday_profile,
)
from npms_tools.backtest.loads import Home

HORIZONS_DAYS = (3, 7, 14, 28)
"""The balance given is worth so many of the days that follow, and half a day more."""
EVERY_DAYS = 3


@dataclass(frozen=True, slots=True)
class Score:
    """Mean absolute error of days left, relative to what was left, of both forecasts."""

    homes: int
    days: int
    forecasts: int
    error: float
    naive_error: float


def score(homes: Sequence[Home]) -> Score:
    """Every home, every third day on which there is history before and future behind."""
    errors, naive_errors, days = 0.0, 0.0, set()
    count = 0
    for home in homes:
        for today, true_days, balance_wh in _cases(home.used_wh):
            history = home.used_wh[:today]
            ours = weekday_profile(history, (today - 1) % 7)
            errors += _error(ours, balance_wh, today, true_days)
            naive_errors += _error(naive_profile(history), balance_wh, today, true_days)
            days.add(today)
            count += 1
    return Score(len(homes), len(days), count, errors / count, naive_errors / count)


def _cases(used_wh: Sequence[int]) -> Iterator[tuple[int, float, int]]:
    """(today, days the balance really lasts, balance in Wh)"""
    for today in range(DAYS_USED, len(used_wh) - max(HORIZONS_DAYS), EVERY_DAYS):
        for horizon in HORIZONS_DAYS:
            half_wh = used_wh[today + horizon] // 2
            balance_wh = sum(used_wh[today : today + horizon]) + half_wh
            yield today, horizon + half_wh / used_wh[today + horizon], balance_wh


def _error(profile: Profile, balance_wh: int, today: int, true_days: float) -> float:
    forecast = days_left(balance_wh, profile, weekday=today % 7)
    assert forecast is not None
    return abs(forecast - true_days) / true_days
