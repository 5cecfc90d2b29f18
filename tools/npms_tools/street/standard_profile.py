"""The published load profile H0: how much a household of 1,000 kWh a year draws, on average."""

import csv
from datetime import UTC, datetime
from functools import lru_cache
from importlib import resources

DAY_S = 86_400
QUARTER_S = 900
PPM = 1_000_000

_SEASONS = ("winter", "transition", "summer")
_DAYS = ("workday", "saturday", "sunday")
_SWING = (-3.92e-10, 3.2e-7, -7.02e-5, 2.1e-3, 1.24)
"""The polynomial by day of the year that BDEW gives to lay winter and summer over H0."""


def h0_deciwatts(at_s: int) -> int:
    """Tenths of W that a home of 1,000 kWh a year draws at `at_s` (epoch seconds, UTC)."""
    day, second = divmod(at_s, DAY_S)
    column, swing_ppm = _day(day)
    return (_table()[column][second // QUARTER_S] * swing_ppm + PPM // 2) // PPM


@lru_cache(maxsize=1024)
def _day(day: int) -> tuple[str, int]:
    """The column of the table, and how far the season moves it, of a day since 1970."""
    date = datetime.fromtimestamp(day * DAY_S, UTC)
    kind = _DAYS[max(date.weekday() - 4, 0)]
    number = date.timetuple().tm_yday
    swing = 0.0
    for coefficient in _SWING:
        swing = swing * number + coefficient
    return f"{_season(date.month, date.day)}_{kind}", round(swing * PPM)


def _season(month: int, day: int) -> str:
    """Winter from 1 November to 20 March, summer from 15 May to 14 September."""
    at = (month, day)
    if at >= (11, 1) or at <= (3, 20):
        return "winter"
    return "summer" if (5, 15) <= at <= (9, 14) else "transition"


@lru_cache(maxsize=1)
def _table() -> dict[str, tuple[int, ...]]:
    """Tenths of W by column and quarter of an hour."""
    file = resources.files("npms_tools.street") / "data" / "h0.csv"
    rows = list(csv.DictReader(file.read_text(encoding="utf-8").splitlines()))
    columns = [f"{season}_{day}" for season in _SEASONS for day in _DAYS]
    return {column: tuple(round(float(row[column]) * 10) for row in rows) for column in columns}
