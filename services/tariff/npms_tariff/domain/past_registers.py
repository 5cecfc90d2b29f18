"""What is known of the past for rating it anew: the register at the edges of local hours.

It follows from the energy of every hour on record; between the edges it is taken to rise evenly,
but for hours whose demand was measured in shorter windows. A correction puts other registers in.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

from npms_tariff.domain.calendar import HOUR_S, Calendar, hour_end_s
from npms_tariff.domain.state import PEAK
from npms_tariff.domain.tariff import Tariff

Point = tuple[int, int]
"""(seconds, register in Wh)"""

Hours = dict[int, tuple[int, int]]
"""(energy Wh, amount micro) by the hour's first second."""


Measured = tuple[int, Tariff, Sequence[int]]
"""Month, version and measured demand as kept, of a scope."""

Shapes = Mapping[int, tuple[int, int]]
"""(seconds of a window, Wh in its first) by hour: how an hour's energy lay in it, for demand."""


class CannotCorrect(Exception):
    """The past cannot be rated anew so; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


def points_of(
    start: Point,
    hours: Hours,
    end: Point,
    calendar: Calendar,
    shapes: Shapes = MappingProxyType({}),
) -> list[Point]:
    """The register at the edges of hours; between hours on record nothing was used.

    Raises CannotCorrect where the hours do not lead from one register to the other.
    """
    made = [start]
    register_wh = start[1]
    for hour_s in sorted(hours):
        _push(made, hour_s, register_wh)
        energy_wh, ends_s = hours[hour_s][0], min(hour_end_s(hour_s, calendar.zone), end[0])
        if hour_s in shapes:
            edges = _windows(hour_s, shapes[hour_s][0], start[0], ends_s)
            for at_s, wh in _spread(edges, energy_wh, shapes[hour_s][1]):
                _push(made, at_s, register_wh + wh)
        register_wh += energy_wh
        _push(made, ends_s, register_wh)
    if register_wh != end[1]:
        raise CannotCorrect(
            "hours_missing", f"the hours lead to {register_wh} Wh, the register is {end[1]}"
        )
    _push(made, end[0], register_wh)
    return made


def _windows(hour_s: int, window_s: int, start_s: int, end_s: int) -> list[int]:
    """Ends of the windows of an hour, as far as it was rated."""
    inner = range(hour_s + window_s, end_s, window_s)
    return [*(at_s for at_s in inner if at_s > start_s), end_s]


def _spread(ends: Sequence[int], energy_wh: int, first_wh: int) -> list[Point]:
    """Energy at the windows' ends: so much in the first, the rest alike in the others."""
    others = len(ends) - 1
    rest_wh = energy_wh - first_wh
    shares = [first_wh + rest_wh * i // others if others else energy_wh for i in range(len(ends))]
    return list(zip(ends, shares, strict=True))


def shapes_of(
    measured: Iterable[Measured], hours: Hours, span: Point, zone: ZoneInfo
) -> dict[int, tuple[int, int]]:
    """Hours in which the demand that was measured in windows shorter than an hour can have been.

    `measured` has month, version and its demand as kept, of every scope; `span` is from when to
    when hours were rated. So the highest of each month is measured again as it was.
    """
    shapes: dict[int, tuple[int, int]] = {}
    for month, tariff, demand in measured:
        window_s = tariff.window_minutes * 60
        if not tariff.highest or window_s >= HOUR_S:
            continue
        held = _by_period(tariff, hours, month, zone)
        ends = {hour_s: min(hour_end_s(hour_s, zone), span[1]) for hour_s in held}
        counts = {h: len(_windows(h, window_s, span[0], end_s)) for h, end_s in ends.items()}
        for hour_s in (min(held, default=0), max(held, default=0)):
            if hour_s and counts[hour_s]:
                shapes[hour_s] = (window_s, -(-hours[hour_s][0] // counts[hour_s]))
        for peak_wh, names in _peaks(tariff, demand):
            fits = [
                hour_s
                for hour_s, period in held.items()
                if period in names
                and peak_wh <= hours[hour_s][0] <= peak_wh * counts[hour_s]
                and all(wh >= peak_wh for wh, others in _peaks(tariff, demand) if period in others)
            ]
            if fits:
                shapes[max(fits, key=lambda at_s: hours[at_s][0])] = (window_s, peak_wh)
    return shapes


def _peaks(tariff: Tariff, demand: Sequence[int]) -> list[tuple[int, frozenset[str]]]:
    """(highest of a window in Wh, names of the periods it is measured in) of each."""
    every = [period.name for period in tariff.prices.periods]
    return [
        (wh, frozenset(charge.periods or every))
        for charge, wh in zip(tariff.highest, demand[PEAK::3], strict=True)
        if wh
    ]


def _by_period(tariff: Tariff, hours: Hours, month: int, zone: ZoneInfo) -> dict[int, str]:
    """The price period that the month's hours begin in."""
    names = [period.name for period in tariff.prices.periods]
    found = {}
    for hour_s in hours:
        local = datetime.fromtimestamp(hour_s, zone)
        if local.year * 100 + local.month == month:
            minute = local.hour * 60 + local.minute
            found[hour_s] = names[tariff.minutes_of(local.date())[minute]]
    return found


def _push(made: list[Point], at_s: int, register_wh: int) -> None:
    if at_s > made[-1][0]:
        made.append((at_s, register_wh))
    else:
        made[-1] = (made[-1][0], register_wh)


def register_at(points: Sequence[Point], at_s: int) -> int:
    """The register at an instant within the points, as rating interpolates it.

    Raises CannotCorrect outside of them.
    """
    for (t0, r0), (t1, r1) in pairwise(points):
        if t0 <= at_s <= t1:
            return r0 + (r1 - r0) * (at_s - t0) // (t1 - t0)
    raise CannotCorrect("outside", f"{at_s} lies outside of what was rated")


def edges_between(calendar: Calendar, from_s: int, to_s: int) -> list[int]:
    """The first seconds of all local hours in [from_s, to_s). Raises CannotCorrect."""
    edges: list[int] = []
    cell = calendar.cell_at(from_s)
    while cell is not None and cell.start_s < to_s:
        if not edges or cell.hour_s != edges[-1]:
            edges.append(cell.hour_s)
        cell = calendar.after(cell)
    if cell is None or not edges or edges[0] != from_s or cell.hour_s != to_s:
        raise CannotCorrect("not_whole_hours", "the span is of whole local hours already rated")
    return edges


def with_registers(
    points: Sequence[Point], span: tuple[int, int], registers: Sequence[Point], edges: Sequence[int]
) -> list[Point]:
    """Points with the registers given within the span instead of theirs; those at both ends stay.

    `edges` are the span's hours. Raises CannotCorrect.
    """
    from_s, to_s = span
    ends = (from_s, register_at(points, from_s)), (to_s, register_at(points, to_s))
    line = [ends[0], *registers, ends[1]]
    for (t0, r0), (t1, r1) in pairwise(line):
        if t1 <= t0:
            raise CannotCorrect("times_out_of_order", f"{t1} is not after {t0} within the span")
        if r1 < r0:
            raise CannotCorrect("register_falls", f"{r1} Wh at {t1} is below {r0} Wh before it")
    return [
        *(point for point in points if point[0] < from_s),
        *((at_s, register_at(line, at_s)) for at_s in (*edges, to_s)),
        *(point for point in points if point[0] > to_s),
    ]


def shifted(
    points: Sequence[Point], span: tuple[int, int], shift_s: int, edges: Sequence[int]
) -> list[Point]:
    """The registers of the span's hours at the times they really were at: so much later."""
    from_s, to_s = span
    return [
        (at_s + shift_s, register_at(points, at_s))
        for at_s in edges
        if at_s != from_s and from_s < at_s + shift_s < to_s
    ]
