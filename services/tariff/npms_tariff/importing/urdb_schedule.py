"""Months by hours of a URDB rate as seasons and bands.

URDB says for each month, on weekdays and at weekends, which period an hour
belongs to: once for energy and once for demand. A plan has one schedule, so
where a charge for demand divides a period of energy, the period is split.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any, NamedTuple

from npms_tariff.importing.findings import CannotImport

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LENGTHS = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
_NAME = re.compile(r"[a-z][a-z0-9-]{0,19}")
_NOT_OF_NAMES = re.compile(r"[^a-z0-9]+")
RESERVED = frozenset({"energy", "minimum", "free"})
"""What a plan means by these is something else."""
WEEKDAYS, WEEKEND = ["mon", "tue", "wed", "thu", "fri"], ["sat", "sun"]
Row = tuple[str, ...]
Grid = list[list[int]]


class Key(NamedTuple):
    """What an hour is: period of energy, and of demand by hour and by month where these matter."""

    energy: int
    by_hour: int | None = None
    by_month: int | None = None


@dataclass(slots=True)
class Demands:
    """The charges for demand that divide hours: price by number of the period."""

    by_hour: dict[int, str] = field(default_factory=dict)
    by_month: dict[int, str] = field(default_factory=dict)
    months: list[int] = field(default_factory=list)
    window_minutes: int = 15


@dataclass(slots=True)
class Schedule:
    """The plan's periods by what they are, its seasons and its bands."""

    names: dict[Key, str]
    seasons: list[dict[str, str]]
    bands: list[dict[str, Any]]


def schedule_of(rate: Mapping[str, Any], *, tariffs: int, demands: Demands) -> Schedule:
    """Read the schedules; raises CannotImport where one does not have 12 rows of 24 hours."""
    keys = _keys(rate, tariffs, demands)
    found = sorted({key for days in keys for row in days for key in row}, key=_order)
    names = _names(found, _labels(rate, tariffs))
    months = [tuple(tuple(names[key] for key in row) for row in days) for days in keys]
    if len(names) == 1:
        return Schedule(names, [], [])
    runs = _runs(months)
    only = len(runs) == 1
    seasons = [] if only else [_season(first, last) for _, first, last in runs]
    bands = []
    for days in dict.fromkeys(days for days, _, _ in runs):
        within = [_season_name(first, last) for d, first, last in runs if d == days]
        bands += [{**b, **({} if only else {"seasons": within})} for b in _bands(*days)]
    return Schedule(names, seasons, bands)


def _order(key: Key) -> tuple[int, ...]:
    return tuple(-1 if part is None else part for part in key)


def _keys(rate: Mapping[str, Any], tariffs: int, demands: Demands) -> list[list[list[Key]]]:
    """By month and by weekdays or weekend: what each of the 24 hours is."""
    energy = [_grid(rate, f"energy{days}schedule", tariffs) for days in ("weekday", "weekend")]
    by_hour = [[[0] * 24] * 12] * 2
    if demands.by_hour:
        count = len(rate["demandratestructure"])
        by_hour = [_grid(rate, f"demand{days}schedule", count) for days in ("weekday", "weekend")]
    return [
        [
            [
                _key(energy[days][month][hour], by_hour[days][month][hour], month, demands)
                for hour in range(24)
            ]
            for days in range(2)
        ]
        for month in range(12)
    ]


def _key(energy: int, by_hour: int, month: int, demands: Demands) -> Key:
    by_month = demands.months[month] if demands.months else -1
    return Key(
        energy,
        by_hour if by_hour in demands.by_hour else None,
        by_month if by_month in demands.by_month else None,
    )


def _grid(rate: Mapping[str, Any], name: str, periods: int) -> Grid:
    grid = rate.get(name)
    if grid is None and periods == 1:
        return [[0] * 24] * 12
    if not isinstance(grid, list) or [len(row) for row in grid] != [24] * 12:
        raise CannotImport(f"/{name}", "a schedule has a row of 24 hours for each month")
    if not all(isinstance(period, int) and 0 <= period < periods for row in grid for period in row):
        raise CannotImport(f"/{name}", f"a period is a number from 0 to {periods - 1}")
    return grid


def _labels(rate: Mapping[str, Any], tariffs: int) -> list[str]:
    """What the rate calls its periods of energy; `p1`, `p2` … where it has no use of names."""
    written = rate.get("energytoulabels") or []
    labels = [_slug(str(label)) for label in written] if isinstance(written, list) else []
    distinct = len(labels) == tariffs == len(set(labels) - RESERVED)
    if distinct and all(_NAME.fullmatch(label) for label in labels):
        return labels
    return [f"p{i + 1}" for i in range(tariffs)]


def _slug(text: str) -> str:
    return _NOT_OF_NAMES.sub("-", text.lower()).strip("-")


def _names(keys: Sequence[Key], labels: list[str]) -> dict[Key, str]:
    """`p1`, or `p1-d2` where the second period of demand takes a part of the first of energy."""
    split = {key.energy for key in keys if sum(k.energy == key.energy for k in keys) > 1}
    return {key: labels[key.energy] + _suffix(key, split=key.energy in split) for key in keys}


def _suffix(key: Key, *, split: bool) -> str:
    by_hour = f"-d{key.by_hour + 1}" if split and key.by_hour is not None else ""
    by_month = f"-f{key.by_month + 1}" if split and key.by_month is not None else ""
    return f"{by_hour}{by_month}"


def _runs(months: list[tuple[Row, ...]]) -> list[tuple[tuple[Row, ...], int, int]]:
    """(rows, first month, last month) of months next to each other with the same rows; December
    and January are neighbours."""
    runs = []
    for days, group in groupby(range(12), key=lambda month: months[month]):
        numbers = list(group)
        runs.append((days, numbers[0], numbers[-1]))
    if len(runs) > 1 and runs[0][0] == runs[-1][0]:
        days, first, _ = runs.pop()
        runs[0] = (days, first, runs[0][2])
    return runs


def _season_name(first: int, last: int) -> str:
    return MONTHS[first] if first == last else f"{MONTHS[first]}-{MONTHS[last]}"


def _season(first: int, last: int) -> dict[str, str]:
    return {
        "name": _season_name(first, last),
        "from": f"{first + 1:02d}-01",
        "to": f"{last + 1:02d}-{LENGTHS[last]}",
    }


def _bands(weekday: Row, weekend: Row) -> Iterator[dict[str, Any]]:
    if weekday == weekend:
        yield from _day_bands(weekday, [*WEEKDAYS, *WEEKEND])
    else:
        yield from _day_bands(weekday, WEEKDAYS)
        yield from _day_bands(weekend, WEEKEND)


def _day_bands(row: Row, weekdays: list[str]) -> Iterator[dict[str, Any]]:
    for period, group in groupby(range(24), key=lambda hour: row[hour]):
        hours = list(group)
        yield {
            "period": period,
            "weekdays": weekdays,
            "from": f"{hours[0]:02d}:00",
            "to": f"{hours[-1] + 1:02d}:00",
        }
