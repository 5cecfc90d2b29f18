"""What was rated, rated anew: from the first of a month to the last reading, hour by hour.

Everything of the months from the correction's begin on is rated anew by the versions in force now;
the difference to what the scopes of these months cost before is the correction. Nothing before the
month can change: blocks, days and demand begin anew with it.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.domain.calendar import Calendar, day_start_s, local_day
from npms_tariff.domain.estimating import total_lines
from npms_tariff.domain.past_registers import Hours, Point
from npms_tariff.domain.plan import ENERGY, MINIMUM
from npms_tariff.domain.rating import finish, rate
from npms_tariff.domain.state import ClosedScope, Rated, RatingState, days_in
from npms_tariff.domain.tariff import UNITS_A_PRICE, Tariff


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
    standing = [(item.index, item.label) for item in tariff.standing]
    derived = [(item.index, item.label) for item in tariff.derived]
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
