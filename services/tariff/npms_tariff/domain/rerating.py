"""What was rated, rated anew: from the first of a month to the last reading, hour by hour.

What is known of the past is the energy of every local hour. The register at the hours' edges
follows from it, and between them it is taken to rise evenly. Everything of the months from the
correction's begin on is rated anew by the versions in force now; the difference to what the scopes
of these months cost before is the correction. Nothing before the month can change: blocks, days
and demand begin anew with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType
from zoneinfo import ZoneInfo

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import HOUR_S, Calendar, day_start_s, hour_end_s, local_day
from npms_tariff.domain.estimating import total_lines
from npms_tariff.domain.plan import ENERGY, MINIMUM
from npms_tariff.domain.rating import finish, rate
from npms_tariff.domain.state import PEAK, ClosedScope, Rated, RatingState, days_in
from npms_tariff.domain.tariff import UNITS_A_PRICE, Tariff

Point = tuple[int, int]
"""(seconds, register in Wh)"""

Hours = dict[int, tuple[int, int]]
"""(energy Wh, amount micro) by the hour's first second."""


class CannotCorrect(Exception):
    """What is asked for cannot be rated; `code` says why."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Difference:
    """By how much what was charged of a month's [from_s, to_s) is wrong; the lines sum to it."""

    month: int
    from_s: int
    to_s: int
    plan_version_id: int
    lines: list[ChargeLine]

    @property
    def amount_micro(self) -> int:
        return sum(line[4] for line in self.lines)

    @property
    def energy_wh(self) -> int:
        return sum(line[3] for line in self.lines if line[0] == ENERGY)


@dataclass(frozen=True, slots=True)
class Costs:
    """What scopes cost, line by line, by month, and the last version of each month."""

    lines: dict[int, list[ChargeLine]]
    versions: dict[int, int]


def month_of(at_s: int, calendar: Calendar) -> tuple[int, int]:
    """(year x 100 + month, first second) of the local month an instant lies in."""
    first = local_day(at_s, calendar.zone).replace(day=1)
    return first.year * 100 + first.month, day_start_s(first, calendar.zone)


def month_end_s(month: int, calendar: Calendar) -> int:
    first = date(month // 100, month % 100, 1) + timedelta(days=31)
    return day_start_s(first.replace(day=1), calendar.zone)


Measured = tuple[int, Tariff, Sequence[int]]
"""Month, version and measured demand as kept, of a scope."""

Shapes = Mapping[int, tuple[int, int]]
"""(seconds of a window, Wh in its first) by hour: how an hour's energy lay in it, for demand."""


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
        (wh, frozenset(one.periods or every))
        for one, wh in zip(tariff.highest, demand[PEAK::3], strict=True)
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
    """The register at an instant within the points, as rating interpolates it."""
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
    points: Sequence[Point], span: tuple[int, int], given: Sequence[Point], edges: Sequence[int]
) -> list[Point]:
    """Points with the registers given within the span instead of theirs; those at both ends stay.

    `edges` are the span's hours. Raises CannotCorrect.
    """
    from_s, to_s = span
    ends = (from_s, register_at(points, from_s)), (to_s, register_at(points, to_s))
    line = [ends[0], *given, ends[1]]
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


def rerate(fresh: RatingState, points: Sequence[Point], *, ended: bool) -> Rated:
    """Rate all points after the first, at which `fresh` stands. Raises NoPlanInForce."""
    rated = Rated()
    for at_s, register_wh in points[1:]:
        rate(fresh, at_s, register_wh, rated)
    if ended:
        finish(fresh, rated)
    return rated


def costs_of(
    scopes: Iterable[ClosedScope],
    tariffs: Mapping[int, Tariff],
    state: RatingState,
    *,
    from_month: int,
) -> Costs:
    """What closed scopes and the state's open one cost, from a month on.

    `tariffs` by version as they are for the installation's class.
    """
    lines: dict[int, list[ChargeLine]] = {}
    versions: dict[int, int] = {}
    for scope in scopes:
        _, version_id, month, *_ = scope
        if month >= from_month:
            lines.setdefault(month, []).extend(_closed_lines(scope, tariffs[version_id], state))
            versions[month] = version_id
    if state.tariff is not None and state.month >= from_month:
        lines.setdefault(state.month, []).extend(open_lines(state))
        versions[state.month] = state.plan_version_id
    return Costs({month: total_lines(iter(made)) for month, made in lines.items()}, versions)


def open_lines(state: RatingState) -> list[ChargeLine]:
    """What the open scope has cost so far, line by line."""
    tariff = state.tariff
    assert tariff is not None
    slots = zip(tariff.labels, state.slots, tariff.slot_prices, strict=True)
    standing = [(one.index, one.label) for one in tariff.standing]
    derived = [(one.index, one.label) for one in tariff.derived]
    others = [*standing, (tariff.minimum_index, MINIMUM), *derived]
    return [
        *(
            (ENERGY, period, block, wh, wh * price // UNITS_A_PRICE)
            for (period, block), wh, price in slots
            if wh
        ),
        *((label, "", 0, 0, micro) for at, label in others if (micro := state.paid_micro[at])),
    ]


def _closed_lines(scope: ClosedScope, tariff: Tariff, like: RatingState) -> list[ChargeLine]:
    """Of a scope that has ended, with what it lacked of its minimum."""
    _, version_id, month, slots, days, used_days, demand, _ = scope
    state = RatingState(
        like.installation_id,
        account_id=like.account_id,
        currency=like.currency,
        calendar=like.calendar,
        register_wh=0,
        read_at_s=0,
        connected_w=like.connected_w,
    )
    state.plan_version_id, state.month, state.days, state.used_days = (
        version_id, month, days, used_days,
    )  # fmt: skip
    state.slots, state.demand = list(slots), list(demand)
    state.resume(tariff)
    minimum = tariff.prices.minimum
    if minimum is not None:
        due_nano = minimum.amount_micro * days // days_in(month) * UNITS_A_PRICE
        lacking = due_nano - sum(state.nano[index] for index in tariff.minimum_on)
        state.pay(tariff.minimum_index, MINIMUM, max(0, lacking), [])
        state.pay_derived([])
    return open_lines(state)


def differences(
    before: Costs, after: Costs, calendar: Calendar, *, span: tuple[int, int]
) -> list[Difference]:
    """Month by month what must be posted; months that cost the same, line by line, are left out."""
    found = []
    for month in sorted(before.lines.keys() | after.lines.keys()):
        taken_back = total_lines(iter(before.lines.get(month, ())), sign=-1)
        lines = total_lines(iter([*after.lines.get(month, ()), *taken_back]))
        if lines:
            first_s = day_start_s(date(month // 100, month % 100, 1), calendar.zone)
            found.append(
                Difference(
                    month,
                    from_s=max(span[0], first_s),
                    to_s=min(span[1], month_end_s(month, calendar)),
                    plan_version_id=after.versions.get(month, 0),
                    lines=lines,
                )
            )
    return found


def by_day(deltas: Hours, calendar: Calendar) -> Hours:
    """Changes of hours by the first second of their local day."""
    return _by(deltas, lambda at_s: day_start_s(local_day(at_s, calendar.zone), calendar.zone))


def by_month(deltas: Hours, calendar: Calendar) -> Hours:
    """Changes of hours by their local month."""
    return _by(deltas, lambda at_s: month_of(at_s, calendar)[0])


def _by(deltas: Hours, place_of: Callable[[int], int]) -> Hours:
    sums: Hours = {}
    for at_s, (wh, micro) in deltas.items():
        place = place_of(at_s)
        old = sums.get(place, (0, 0))
        sums[place] = (old[0] + wh, old[1] + micro)
    return {place: change for place, change in sums.items() if change != (0, 0)}


def hour_deltas(before: Hours, after: Hours) -> Hours:
    """By how much each hour's energy and cost change; hours that stay as they are left out."""
    deltas = {}
    for hour_s in before.keys() | after.keys():
        old, new = before.get(hour_s, (0, 0)), after.get(hour_s, (0, 0))
        if old != new:
            deltas[hour_s] = (new[0] - old[0], new[1] - old[1])
    return deltas
