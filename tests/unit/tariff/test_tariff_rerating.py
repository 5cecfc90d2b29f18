"""What was charged and what corrections add is what the corrected past costs, by another rater."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.tariff.documents import documents

from npms_operations.audit.rater.almanac import Almanac
from npms_operations.audit.rater.bill import bill
from npms_operations.audit.rater.documents import read_version
from npms_shared.contracts.tariff import ChargeLine
from npms_tariff.documents import PlanDocument
from npms_tariff.domain import past_registers, rerating
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.past_registers import CannotCorrect, Point
from npms_tariff.domain.rating import rate
from npms_tariff.domain.rerating import Difference
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

CONNECTED_W = 7321
BEGINS_S = int(datetime(2026, 3, 27, 5, tzinfo=UTC).timestamp())
ZONES = ("Africa/Nairobi", "Europe/Berlin", "Australia/Lord_Howe", "Asia/Kathmandu")
Dated = list[tuple[int, dict[str, Any]]]
Lines = dict[tuple[str, str, int], int]

moves = st.lists(
    st.tuples(st.integers(1, 40_000) | st.integers(1, 300_000), st.integers(0, 3000)),
    min_size=1,
    max_size=6,
)


def tariffs_of(dated: Dated) -> tuple[Tariff, ...]:
    return tuple(
        Tariff(i + 1, from_s, PlanDocument.model_validate(document).prices()).for_class("")
        for i, (from_s, document) in dated_by_begin(dated)
    )


def dated_by_begin(dated: Dated) -> list[tuple[int, tuple[int, dict[str, Any]]]]:
    """Numbered as they were made, in the order in which they take over."""
    return sorted(enumerate(dated), key=lambda one: (one[1][0], one[0]))


def almanac_of(dated: Dated, zone: ZoneInfo, to_s: int) -> Almanac:
    read = [
        read_version(i + 1, from_s, document, customer_class="", connected_w=CONNECTED_W)
        for i, (from_s, document) in dated_by_begin(dated)
    ]
    return Almanac(read, zone, from_s=BEGINS_S, to_s=to_s)


def opened(calendar: Calendar, start: Point) -> RatingState:
    return RatingState(
        1, account_id=1, currency="KES", calendar=calendar, register_wh=start[1],
        read_at_s=start[0], connected_w=CONNECTED_W,
    )  # fmt: skip


def going_on(start: Point, steps: list[tuple[int, int]]) -> list[Point]:
    made = [start]
    for took_s, used_wh in steps:
        made.append((made[-1][0] + took_s, made[-1][1] + used_wh))
    return made


class Past:
    """An installation rated by the versions known then, and rated anew by those known now."""

    def __init__(self, then: Dated, now: Dated, zone: ZoneInfo, readings: list[Point]) -> None:
        self.calendar = Calendar(tariffs_of(now), zone)
        self.opening, self.rated = readings[0], Rated()
        self.old = opened(Calendar(tariffs_of(then), zone), self.opening)
        for reading in readings[1:]:
            rate(self.old, *reading, self.rated)
        self.versions = {tariff.version_id: tariff for tariff in tariffs_of(now)}

    def points(self, from_s: int) -> tuple[int, list[Point]]:
        """(first month that may change, the register hour by hour from its begin on)"""
        month, month_s = rerating.month_of(max(from_s, self.opening[0]), self.calendar)
        start_s = max(month_s, self.opening[0])
        hours = {
            hour_s: (wh, micro)
            for _, hour_s, wh, micro in self.rated.hours
            if hour_s >= month_s or start_s == self.opening[0]
        }
        open_hour = (self.old.hour_wh, self.old.hour_micro)
        self.hours = hours | {self.old.hour_s: open_hour}
        start_wh = self.old.register_wh - sum(wh for wh, _ in self.hours.values())
        end = (self.old.read_at_s, self.old.register_wh)
        versions = self.versions
        measured = [(s[2], versions[s[1]], s[6]) for s in self.rated.scopes if s[2] >= month]
        measured.append((self.old.month, versions[self.old.plan_version_id], self.old.demand))
        span = (start_s, end[0])
        shapes = past_registers.shapes_of(measured, self.hours, span, self.calendar.zone)
        return month, past_registers.points_of(
            (start_s, start_wh), self.hours, end, self.calendar, shapes
        )

    def rerate(self, month: int, points: list[Point], from_s: int) -> list[Difference]:
        self.new = opened(self.calendar, points[0])
        self.rerated = rerating.rerate(self.new, points, ended=False)
        scopes = self.rated.scopes
        before = rerating.costs_of(scopes, self.versions, self.old, from_month=month)
        after = rerating.costs_of(self.rerated.scopes, self.versions, self.new, from_month=month)
        span = (from_s, self.old.read_at_s)
        return rerating.differences(before, after, self.calendar, span=span)


def summed(*parts: list[ChargeLine]) -> Lines:
    total: Lines = {}
    for lines in parts:
        for component, period, block, _, micro in lines:
            key = (component, period, block)
            total[key] = total.get(key, 0) + micro
    return {key: micro for key, micro in total.items() if micro}


def slow(past: Past, then: Dated, now: Dated, zone: ZoneInfo, *, readings: list[Point],
         month: int, points: list[Point]) -> Lines:  # fmt: skip
    """The other rater's: months before as they were read, later ones hour by hour."""
    before = bill(readings[0], readings[1:], almanac_of(then, zone, readings[-1][0]))
    after = bill(points[0], points[1:], almanac_of(now, zone, points[-1][0]))
    total: Lines = {}
    kept = [s for s in before.scopes if s.year * 100 + s.month < month]
    for scope in (*kept, *after.scopes):
        for line, micro in scope.lines().items():
            total[line] = total.get(line, 0) + micro
    return {line: micro for line, micro in total.items() if micro}


@given(documents(), documents(), st.integers(0, 1_500_000), moves, moves, st.sampled_from(ZONES))
def test_r3_a_version_dated_back_costs_what_it_would_have_from_the_begin(
    first, second, back_s, steps, later, zone_name
):
    """Charges by the prices then + corrections + charges after = the prices now, of all of it."""
    zone, start = ZoneInfo(zone_name), (BEGINS_S, 700)
    readings = going_on(start, steps)
    from_s = min(BEGINS_S + back_s, readings[-1][0] - 1)
    then: Dated = [(BEGINS_S - 10**6, first)]
    now: Dated = [*then, (from_s, second)]
    past = Past(then, now, zone, readings)
    month, points = past.points(from_s)
    posted = past.rerate(month, points, from_s)
    charged = [charge[-1] for charge in past.rated.charges]
    more = going_on(points[-1], later)
    rated = Rated()
    for reading in more[1:]:
        rate(past.new, *reading, rated)
    charged += [charge[-1] for charge in rated.charges]
    expected = slow(
        past, then, now, zone, readings=readings, month=month, points=[*points, *more[1:]]
    )
    assert summed(*charged, *(one.lines for one in posted)) == expected
    assert all(one.amount_micro == sum(line[4] for line in one.lines) for one in posted)


@given(documents(), moves, moves, st.sampled_from(ZONES), st.data())
def test_corrected_registers_cost_what_they_would_have(first, steps, later, zone_name, data):
    zone, start = ZoneInfo(zone_name), (BEGINS_S, 700)
    readings = going_on(start, steps)
    then: Dated = [(BEGINS_S - 10**6, first)]
    past = Past(then, then, zone, readings)
    edges = whole_hours(past.calendar, BEGINS_S, readings[-1][0])
    assume(len(edges) > 2)
    begin, end = sorted(data.draw(st.sets(st.sampled_from(edges), min_size=2, max_size=2)))
    month, points = past.points(begin)
    before_wh, after_wh = (past_registers.register_at(points, at_s) for at_s in (begin, end))
    times = sorted(data.draw(st.sets(st.integers(begin + 1, end - 1), max_size=4)))
    registers = st.lists(st.integers(before_wh, after_wh), min_size=len(times), max_size=len(times))
    given_ = list(zip(times, sorted(data.draw(registers)), strict=True))
    hours = past_registers.edges_between(past.calendar, begin, end)
    mended = past_registers.with_registers(points, (begin, end), given_, hours)
    assert (mended[0], mended[-1]) == (points[0], points[-1])
    posted = past.rerate(month, mended, begin)
    charged = [charge[-1] for charge in past.rated.charges]
    more, rated = going_on(mended[-1], later), Rated()
    for reading in more[1:]:
        rate(past.new, *reading, rated)
    charged += [charge[-1] for charge in rated.charges]
    expected = slow(
        past, then, then, zone, readings=readings, month=month, points=[*mended, *more[1:]]
    )
    assert summed(*charged, *(one.lines for one in posted)) == expected
    assert sum(one.energy_wh for one in posted) == 0


def whole_hours(calendar: Calendar, from_s: int, to_s: int) -> list[int]:
    found: list[int] = []
    cell = calendar.cell_at(from_s)
    while cell is not None and cell.start_s <= to_s:
        if cell.hour_s >= from_s and (not found or cell.hour_s != found[-1]):
            found.append(cell.hour_s)
        cell = calendar.after(cell)
    return found


FLAT = {"energy": {"periods": [{"name": "all", "blocks": [{"price": "24.5"}]}]}}
BLOCKS = {
    "energy": {
        "periods": [
            {"name": "night", "blocks": [{"upto": "3", "price": "8"}, {"price": "11.000001"}]},
            {"name": "day", "blocks": [{"upto": "1.5", "price": "20"}, {"price": "31.333333"}]},
        ],
        "schedule": [
            {"period": "night", "weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
             "from": "00:00", "to": "07:00"},
            {"period": "day", "weekdays": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"],
             "from": "07:00", "to": "24:00"},
        ],
    },
    "fixed": [{"name": "standing", "amount": "5", "per": "day"},
              {"name": "service", "amount": "100", "per": "month", "off_supply": "skip"}],
    "demand": [{"name": "peak", "price": "12", "of": "highest", "window_minutes": 60}],
    "minimum": {"amount": "400", "on": ["energy"]},
    "taxes": [{"name": "vat", "rate_ppm": 160_000, "on": ["energy", "standing", "minimum"]}],
}  # fmt: skip


def measuring(minutes: int, **more: Any) -> dict[str, Any]:
    demand = {"name": "peak", "price": "12", "of": "highest", "window_minutes": minutes, **more}
    return BLOCKS | {"demand": [demand]}


RIGHT = [FLAT, BLOCKS, measuring(30), measuring(15), measuring(15, periods=["day"])]


@given(st.sampled_from(RIGHT), moves, st.sampled_from(ZONES[:2]))
def test_what_was_rated_rightly_is_not_corrected(document, steps, zone_name):
    """Neither money nor an hour changes, where prices change at full hours; of what was measured in
    quarters of an hour at most the hour in which it was."""
    dated: Dated = [(BEGINS_S - 10**6, document)]
    readings = going_on((BEGINS_S, 700), steps)
    past = Past(dated, dated, ZoneInfo(zone_name), readings)
    month, points = past.points(BEGINS_S)
    assert past.rerate(month, points, BEGINS_S) == []
    made = {hour_s: (wh, micro) for _, hour_s, wh, micro in past.rerated.hours}
    made[past.new.hour_s] = (past.new.hour_wh, past.new.hour_micro)
    changes = rerating.hour_deltas(past.hours, made)
    assert all(wh == 0 for wh, _ in changes.values())
    assert sum(micro for _, micro in changes.values()) == 0
    assert changes == {} or document not in (FLAT, BLOCKS)


@given(documents(), moves, st.sampled_from(ZONES))
def test_a_second_correction_of_the_same_changes_nothing(document, steps, zone_name):
    """Whatever was apportioned within an hour is so for good."""
    zone, readings = ZoneInfo(zone_name), going_on((BEGINS_S, 700), steps)
    dated: Dated = [(BEGINS_S - 10**6, document)]
    past = Past(dated, dated, zone, readings)
    month, points = past.points(BEGINS_S)
    past.rerate(month, points, BEGINS_S)
    again = Past(dated, dated, zone, points)
    month, same = again.points(BEGINS_S)
    assert again.rerate(month, same, BEGINS_S) == []


def test_k1_a_slow_clock_s_energy_moves_to_the_hours_it_was_used_in():
    zone = ZoneInfo("Africa/Nairobi")
    dated: Dated = [(BEGINS_S - 10**6, BLOCKS)]
    calendar = Calendar(tariffs_of(dated), zone)
    first = whole_hours(calendar, BEGINS_S, BEGINS_S + 7200)[0]
    points = [(first + 3600 * i, 100 * i * i) for i in range(9)]
    edges = past_registers.edges_between(calendar, first, points[-1][0])
    given_ = past_registers.shifted(points, (first, points[-1][0]), 3600, edges)
    mended = past_registers.with_registers(points, (first, points[-1][0]), given_, edges)
    assert [at_s for at_s, _ in mended] == [at_s for at_s, _ in points]
    hourly = [b[1] - a[1] for a, b in pairwise(mended)]
    assert hourly == [50, 50, 300, 500, 700, 900, 1100, 2800]
    fast = past_registers.shifted(points, (first, points[-1][0]), -3600, edges)
    assert fast == [(first + 3600 * (i - 1), 100 * i * i) for i in range(2, 8)]


@pytest.mark.parametrize(
    ("span", "given_", "code"),
    [
        ((0, 4), [(2, 5)], "register_falls"),
        ((0, 4), [(2, 5000)], "register_falls"),
        ((0, 4), [(0, 150)], "times_out_of_order"),
        ((0, 4), [(3, 300), (2, 350)], "times_out_of_order"),
        ((0, 9), [], "outside"),
    ],
)
def test_registers_that_cannot_have_been_are_refused(span, given_, code):
    points = [(3600 * i, 100 + 100 * i) for i in range(6)]
    at = [(3600 * hour, wh) for hour, wh in given_]
    with pytest.raises(CannotCorrect) as refused:
        past_registers.with_registers(points, (span[0] * 3600, span[1] * 3600), at, [0])
    assert refused.value.code == code


def test_a_span_is_of_whole_local_hours():
    calendar = Calendar(tariffs_of([(0, FLAT)]), ZoneInfo("Asia/Kathmandu"))
    hour = BEGINS_S - BEGINS_S % 3600 + 900
    assert past_registers.edges_between(calendar, hour, hour + 7200) == [hour, hour + 3600]
    for begin, end in ((hour + 1, hour + 7200), (hour, hour + 7201), (hour - 900, hour)):
        with pytest.raises(CannotCorrect, match="not_whole_hours"):
            past_registers.edges_between(calendar, begin, end)
