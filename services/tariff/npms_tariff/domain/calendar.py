"""Local time cut into cells in which nothing about the price changes but the block.

A cell lies within one hour, day and month of the account's local time, one price
period and one plan version. Between two changes of the zone's offset local time
is linear, so all edges are found by adding; days of 23 and 25 hours need no care.
"""

from bisect import bisect_right
from calendar import monthrange
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from zoneinfo import ZoneInfo

from npms_tariff.domain.plan import MINUTES_A_DAY
from npms_tariff.domain.tariff import Tariff

HOUR_S = 3600
DAYS_KEPT = 800
_EPOCH = date(1970, 1, 1)
_DAY = timedelta(days=1)


@dataclass(slots=True, eq=False)
class Cell:
    """[start_s, end_s) of constant price, in one window of measured demand.

    `hour_s`, `day_s` and `window_s` are when its local hour, day and window began,
    `month` is year x 100 + month, `days_left` counts this day and those behind it in
    the month of `days_in_month`.
    """

    start_s: int
    end_s: int
    tariff: Tariff
    period: int
    hour_s: int
    window_s: int
    day_s: int
    day_end_s: int
    month: int
    days_left: int
    days_in_month: int
    following: "Cell | None" = None


@lru_cache(maxsize=4096)
def day_start_s(day: date, zone: ZoneInfo) -> int:
    """The instant a local day begins: its first midnight, or where a gap swallowed it, the gap."""
    return int(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp())


def local_day(at_s: int, zone: ZoneInfo) -> date:
    """The local day an instant belongs to."""
    day = datetime.fromtimestamp(at_s, zone).date()
    if at_s < day_start_s(day, zone):
        return day - _DAY
    return day + _DAY if at_s >= day_start_s(day + _DAY, zone) else day


def offset_s(at_s: int, zone: ZoneInfo) -> int:
    """How far local clocks are ahead of UTC."""
    offset = datetime.fromtimestamp(at_s, zone).utcoffset()
    assert offset is not None
    return int(offset.total_seconds())


def hour_end_s(hour_s: int, zone: ZoneInfo) -> int:
    """Where a local hour ends: sooner than after an hour where clocks move by a part of one.

    `hour_s` that is no beginning of an hour here is one of another zone's, and lasts an hour.
    """
    _, change_s, offset = _offset_runs(hour_s, hour_s + HOUR_S, zone)[0]
    past_s = (hour_s + offset) % HOUR_S
    if past_s and offset_s(hour_s - 1, zone) == offset:
        return hour_s + HOUR_S
    return min(change_s, hour_s + HOUR_S - past_s)


def local_hours(begins_s: int, ends_s: int, zone: ZoneInfo) -> Iterator[int]:
    """The beginnings of the local hours of [begins_s, ends_s), of which `begins_s` is the first."""
    while begins_s < ends_s:
        yield begins_s
        begins_s = hour_end_s(begins_s, zone)


def _offset_runs(start_s: int, end_s: int, zone: ZoneInfo) -> list[tuple[int, int, int]]:
    """(start, end, offset) stretches of [start_s, end_s) with one offset each."""
    runs: list[tuple[int, int, int]] = []
    begun, offset = start_s, offset_s(start_s, zone)
    for probe in [*range(start_s + HOUR_S, end_s, HOUR_S), end_s - 1]:
        if offset_s(probe, zone) == offset:
            continue
        low, high = probe - HOUR_S, probe
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset_s(middle, zone) == offset else (low, middle)
        runs.append((begun, high, offset))
        begun, offset = high, offset_s(high, zone)
    return [*runs, (begun, end_s, offset)]


class Calendar:
    """The cells of one plan in one time zone, made as they are asked for."""

    def __init__(self, tariffs: tuple[Tariff, ...], zone: ZoneInfo) -> None:
        """`tariffs` in the order in which they take over."""
        self.zone = zone
        self._tariffs = tariffs
        self._starts = [tariff.valid_from_s for tariff in tariffs]
        self._days: dict[date, tuple[list[int], list[Cell]]] = {}

    def cell_at(self, at_s: int) -> Cell | None:
        """The cell an instant lies in; None before the first version's time."""
        if not self._starts or at_s < self._starts[0]:
            return None
        starts, cells = self._cells_of(local_day(at_s, self.zone))
        return cells[bisect_right(starts, at_s) - 1]

    def after(self, cell: Cell) -> Cell:
        """The cell that begins where this one ends."""
        if cell.following is None:
            cell.following = self.cell_at(cell.end_s)
            assert cell.following is not None
        return cell.following

    def _cells_of(self, day: date) -> tuple[list[int], list[Cell]]:
        found = self._days.get(day)
        if found is None:
            if len(self._days) >= DAYS_KEPT:
                self._days.clear()
            cells = self._cut(day)
            found = self._days[day] = ([cell.start_s for cell in cells], cells)
        return found

    def _cut(self, day: date) -> list[Cell]:
        start, end = day_start_s(day, self.zone), day_start_s(day + _DAY, self.zone)
        return [
            cell
            for run_start, run_end, offset in _offset_runs(start, end, self.zone)
            for cell in self._cut_run(day, run_start, run_end, offset=offset, bounds_s=(start, end))
        ]

    def _cut_run(
        self, day: date, start: int, end: int, *, offset: int, bounds_s: tuple[int, int]
    ) -> Iterator[Cell]:
        midnight_s = (day - _EPOCH).days * 86400 - offset
        days_in_month = monthrange(day.year, day.month)[1]
        for cell_start, cell_end in pairwise(self._edges(start, end, midnight_s=midnight_s)):
            local_s = cell_start - midnight_s
            tariff = self._tariffs[bisect_right(self._starts, cell_start) - 1]
            window_s = tariff.window_minutes * 60
            yield Cell(
                cell_start,
                cell_end,
                tariff=tariff,
                period=tariff.minutes_of(day)[local_s // 60 % MINUTES_A_DAY],
                hour_s=max(cell_start - local_s % HOUR_S, start),
                window_s=max(cell_start - local_s % window_s, start),
                day_s=bounds_s[0],
                day_end_s=bounds_s[1],
                month=day.year * 100 + day.month,
                days_left=days_in_month - day.day + 1,
                days_in_month=days_in_month,
            )

    def _edges(self, start: int, end: int, *, midnight_s: int) -> list[int]:
        """Every instant of [start, end] at which something may change, under one offset."""
        first_hour = start + (midnight_s - start) % HOUR_S
        edges = {start, end, *range(first_hour, end, HOUR_S), *self._starts}
        edges.update(midnight_s + minute * 60 for t in self._tariffs for minute in t.edges)
        first = self._starts[0]
        return sorted(edge for edge in edges if max(start, first) <= edge <= end)
