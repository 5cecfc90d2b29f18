"""Recorded energy rated again under any calendar: what would it have cost?

The record is energy by local hour, taken as used evenly within each. Rating begins with the
month (or the opening), so that blocks and free units stand where they should when the span
begins; only what falls into the span is counted. Where every edge of a plan lies on a full
local hour the outcome is exact: for the plan that was in force it is what was charged.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

from npms_tariff.domain.calendar import Calendar, day_start_s, hour_end_s, local_day
from npms_tariff.domain.rating import finish, rate, succeed
from npms_tariff.domain.state import Rated, RatingState

Hour = tuple[int, int]
"""(first second of a local hour, energy Wh used in it)"""


@dataclass(frozen=True, slots=True)
class Span:
    """[from_s, to_s); `begins_s` is when the local month began in which it begins."""

    begins_s: int
    from_s: int
    to_s: int
    ends_month: bool


@dataclass(frozen=True, slots=True)
class Metered:
    """An installation and its use of energy: hours in order, from the beginning of the month."""

    installation_id: int
    account_id: int
    connected_w: int
    opened_s: int
    closed_s: int | None
    replaces_installation_id: int | None
    hours: Sequence[Hour]


@dataclass(slots=True)
class Cost:
    """In micro-units, in all and by component."""

    energy_wh: int = 0
    amount_micro: int = 0
    components: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    def add(self, rated: Rated) -> None:
        for *_, energy_wh, amount_micro, _, lines in rated.charges:
            self.energy_wh += energy_wh
            self.amount_micro += amount_micro
            for line in lines:
                self.components[line[0]] += line[4]


def span_between(from_s: int, to_s: int, zone: ZoneInfo) -> Span:
    day = local_day(from_s, zone).replace(day=1)
    last = local_day(to_s, zone)
    ends_month = last.day == 1 and day_start_s(last, zone) == to_s
    return Span(day_start_s(day, zone), from_s, to_s, ends_month)


def month_before(at_s: int, zone: ZoneInfo) -> Span:
    """The last local month that has ended."""
    first = local_day(at_s, zone).replace(day=1)
    before = (first - timedelta(days=1)).replace(day=1)
    from_s, to_s = day_start_s(before, zone), day_start_s(first, zone)
    return Span(from_s, from_s, to_s, ends_month=True)


def rate_again(meters: Iterable[tuple[Metered, Calendar]], span: Span) -> Cost:
    """What the meters of an account, in the order of their opening, would have cost.

    A meter goes on where the one it replaces stood, under the same calendar. Raises
    NoPlanInForce.
    """
    cost, states = Cost(), dict[int, RatingState]()
    for meter, calendar in meters:
        state = states[meter.installation_id] = _opened(meter, calendar, span)
        before = states.get(meter.replaces_installation_id or 0)
        if before is not None and before.calendar is calendar:
            succeed(state, before)
        cost.add(_rate(state, meter, span))
    return cost


def _opened(meter: Metered, calendar: Calendar, span: Span) -> RatingState:
    return RatingState(
        meter.installation_id,
        account_id=meter.account_id,
        currency="",
        calendar=calendar,
        register_wh=0,
        read_at_s=max(meter.opened_s, span.begins_s),
        connected_w=meter.connected_w,
    )


def _rate(state: RatingState, meter: Metered, span: Span) -> Rated:
    """What is charged in the span; what is charged before it is forgotten."""
    ends_s = span.to_s if meter.closed_s is None else min(span.to_s, meter.closed_s)
    before, counted = Rated(), Rated()
    hours = [hour for hour in meter.hours if hour[0] < ends_s]
    _feed(state, [hour for hour in hours if hour[0] < span.from_s], before, ends_s=ends_s)
    _stand_still(state, min(span.from_s, ends_s), before)
    rated = counted if ends_s > span.from_s else before
    _feed(state, [hour for hour in hours if hour[0] >= span.from_s], rated, ends_s=ends_s)
    _stand_still(state, ends_s, rated)
    if span.ends_month or ends_s < span.to_s:
        finish(state, rated)
    return counted


def _feed(state: RatingState, hours: Sequence[Hour], rated: Rated, *, ends_s: int) -> None:
    """A reading at the end of every hour, and at its beginning where none was used before it."""
    for (hour_s, energy_wh), (following_s, _) in pairwise([*hours, (ends_s, 0)]):
        _stand_still(state, hour_s, rated)
        at_s = min(hour_end_s(hour_s, state.calendar.zone), following_s, ends_s)
        if at_s > state.read_at_s:
            rate(state, at_s, state.register_wh + energy_wh, rated)


def _stand_still(state: RatingState, until_s: int, rated: Rated) -> None:
    if until_s > state.read_at_s:
        rate(state, until_s, state.register_wh, rated)


def is_exact(calendar: Calendar, from_s: int, to_s: int) -> bool:
    """Whether nothing changes within a local hour: then use by the hour is all one needs to know.

    Not so before the first version's time.
    """
    cell = calendar.cell_at(from_s)
    while cell is not None and cell.start_s < to_s:
        if cell.start_s != cell.hour_s:
            return False
        cell = calendar.after(cell)
    return cell is not None
