"""Recorded use rated again costs what it did, and what another plan would have made of it."""

from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.unit.tariff import strategies
from tests.unit.tariff.selling import INCLINING, NAIROBI, plans

from npms_tariff.domain.calendar import Calendar, hour_end_s
from npms_tariff.domain.comparison import Compared
from npms_tariff.domain.plan import Band, Block, Demand, Fixed, Minimum, Period, Prices
from npms_tariff.domain.rating import NoPlanInForce, finish, rate
from npms_tariff.domain.simulation import (
    Hour,
    Metered,
    is_exact,
    month_before,
    rate_again,
    span_between,
)
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

ZONES = [ZoneInfo(name) for name in ("Africa/Nairobi", "Europe/Berlin", "Asia/Kathmandu")]
FLAT = Prices((Period("all", (Block(24_500_000),)),))


def at(day: int, hour: int = 0, *, month: int = 10, zone: ZoneInfo = NAIROBI) -> int:
    return int(datetime(2026, month, day, hour, tzinfo=zone).timestamp())


def calendar_of(prices: Prices, *, zone: ZoneInfo = NAIROBI, **later: Prices) -> Calendar:
    """In force for ever, or until the version `d<day of October>` takes over."""
    changes = [(at(int(day[1:]), zone=zone), changed) for day, changed in later.items()]
    versions = enumerate([(0, prices), *changes], start=1)
    return Calendar(tuple(Tariff(i, start, p) for i, (start, p) in versions), zone)


def rated(calendar: Calendar, readings: list[tuple[int, int]]) -> tuple[RatingState, Rated]:
    (opened_s, opening_wh), *rest = readings
    state = RatingState(
        1, account_id=1, currency="", calendar=calendar, register_wh=opening_wh,
        read_at_s=opened_s, connected_w=9_000,
    )  # fmt: skip
    done = Rated()
    for at_s, register_wh in rest:
        rate(state, at_s, register_wh, done)
    return state, done


def metered(readings: list[tuple[int, int]], done: Rated, state: RatingState, **changes) -> Metered:
    """As it is on record: closed hours, and the running one."""
    hours = Counter[int]()
    for _, hour_s, energy_wh, _ in done.hours:
        hours[hour_s] += energy_wh
    hours[state.hour_s] += state.hour_wh
    given = {
        "installation_id": 1,
        "account_id": 1,
        "connected_w": 9_000,
        "opened_s": readings[0][0],
        "closed_s": None,
        "replaces_installation_id": None,
        "hours": sorted(hours.items()),
    }
    return Metered(**(given | changes))


@st.composite
def use(draw: st.DrawFn, zone: ZoneInfo) -> list[tuple[int, int]]:
    """(seconds, register) from the turn of September to the sixth of October."""
    opened_s = at(29, month=9, zone=zone) + draw(st.integers(0, 4 * 86_400))
    gaps = draw(st.lists(st.integers(60, 200_000), min_size=1, max_size=8))
    steps = draw(st.lists(st.integers(0, 4_000), min_size=len(gaps), max_size=len(gaps)))
    times = [*accumulate(gaps, initial=opened_s)]
    registers = [*accumulate(steps, initial=500)]
    readings = [(t, r) for t, r in zip(times, registers, strict=True) if t < at(6, zone=zone)]
    return [*readings, (at(6, zone=zone), registers[-1] + 100)]


@given(st.data(), plans(), st.sampled_from(ZONES))
@settings(max_examples=25)
def test_under_the_plan_that_was_in_force_it_costs_what_was_charged(data, prices, zone):
    readings = data.draw(use(zone))
    calendar = calendar_of(prices, zone=zone)
    state, done = rated(calendar, readings)
    span = span_between(at(1, zone=zone), at(6, zone=zone), zone)
    again = rate_again([(metered(readings, done, state), calendar)], span)
    assert is_exact(calendar, readings[0][0], span.to_s)
    hours = [*done.hours, (1, state.hour_s, state.hour_wh, state.hour_micro)]
    october = [hour for hour in hours if span.from_s <= hour[1] < span.to_s]
    assert again.energy_wh == sum(hour[2] for hour in october)
    assert again.amount_micro == sum(hour[3] for hour in october)
    assert sum(again.components.values()) == again.amount_micro


def hourly(prices: Prices) -> Prices:
    """The same plan with its periods and windows moved to full hours."""
    moved = (
        replace(band, from_minute=band.from_minute // 60 * 60, to_minute=band.to_minute // 60 * 60)
        for band in prices.schedule
    )
    return replace(
        prices,
        schedule=tuple(band for band in moved if band.from_minute < band.to_minute),
        demand=tuple(replace(one, window_minutes=60) for one in prices.demand),
    )


@given(
    strategies.prices().map(hourly),
    strategies.prices().map(hourly),
    strategies.readings(),
    st.sampled_from(strategies.ZONES),
)
@settings(max_examples=40)
def test_r3_the_whole_language_over_months_clocks_and_versions_costs_what_was_charged(
    old, new, readings, zone
):
    change_s = local_hour(readings[0][0] + 100_000, zone)
    calendar = Calendar((Tariff(1, 0, old), Tariff(2, change_s, new)), zone)
    state, done = rated(calendar, readings)
    span = span_between(local_hour(readings[0][0], zone), readings[-1][0], zone)
    again = rate_again([(metered(readings, done, state), calendar)], span)
    assert is_exact(calendar, span.begins_s, span.to_s)
    if span.ends_month:
        finish(state, done)
    assert again.amount_micro == sum(charge[8] for charge in done.charges)
    assert again.energy_wh == readings[-1][1] - readings[0][1]


def local_hour(at_s: int, zone: ZoneInfo) -> int:
    """The beginning of the local hour an instant lies in."""
    cell = Calendar((Tariff(1, 0, FLAT),), zone).cell_at(at_s)
    assert cell is not None
    return cell.hour_s


@given(st.data(), plans(), plans(), st.integers(2, 5))
@settings(max_examples=15)
def test_a_span_within_the_month_stands_where_the_month_stood(data, old, new, day):
    """Blocks, free units and versions of before the span count; their cost does not."""
    readings = data.draw(use(NAIROBI))
    calendar = calendar_of(old, d3=new)
    state, done = rated(calendar, readings)
    meter = [(metered(readings, done, state), calendar)]
    parts = [at(1), at(day), at(day, 7), at(6)]
    spans = [span_between(*two, NAIROBI) for two in pairwise(parts)]
    whole = rate_again(meter, span_between(parts[0], parts[-1], NAIROBI))
    split = [rate_again(meter, span) for span in spans]
    assert sum(part.amount_micro for part in split) == whole.amount_micro
    assert sum(part.energy_wh for part in split) == whole.energy_wh


def every_hour(day: int, days: int, wh: int) -> list[Hour]:
    return [(hour_s, wh) for hour_s in range(at(day), at(day + days), 3600)]


def meter_of(hours: list[Hour], **changes) -> Metered:
    given = {
        "installation_id": 1,
        "account_id": 1,
        "connected_w": 0,
        "opened_s": at(1, month=9),
        "closed_s": None,
        "replaces_installation_id": None,
        "hours": hours,
    }
    return Metered(**(given | changes))


OCTOBER = span_between(at(1), at(1, month=11), NAIROBI)


def test_standing_charges_accrue_without_any_use():
    calendar = calendar_of(replace(FLAT, fixed=(Fixed("standing", 5_000_000),)))
    cost = rate_again([(meter_of([]), calendar)], OCTOBER)
    assert (cost.energy_wh, dict(cost.components)) == (0, {"fixed:standing": 31 * 5_000_000})


def test_the_minimum_is_settled_where_the_month_ends_within_the_span():
    calendar = calendar_of(replace(FLAT, minimum=Minimum(3_100_000_000, ("energy",))))
    meter = meter_of(every_hour(2, 1, 1000))
    used = 24 * 24_500_000
    assert rate_again([(meter, calendar)], OCTOBER).components["minimum"] == 3_100_000_000 - used
    half = span_between(at(1), at(15), NAIROBI)
    assert "minimum" not in rate_again([(meter, calendar)], half).components


def test_a_meter_goes_on_where_the_one_before_it_stood():
    calendar = calendar_of(INCLINING)
    hours = every_hour(3, 6, 1000)
    whole = rate_again([(meter_of(hours), calendar)], OCTOBER)
    swapped_s = at(5)
    first = meter_of([h for h in hours if h[0] < swapped_s], closed_s=swapped_s)
    second = meter_of(
        [h for h in hours if h[0] >= swapped_s],
        installation_id=2,
        opened_s=swapped_s,
        replaces_installation_id=1,
    )
    swapped = rate_again([(first, calendar), (second, calendar)], OCTOBER)
    assert swapped.energy_wh == whole.energy_wh == 144_000
    assert abs(swapped.amount_micro - whole.amount_micro) <= 5


def test_an_installation_counts_from_its_opening_to_its_closing():
    calendar = calendar_of(replace(FLAT, fixed=(Fixed("standing", 1_000_000),)))
    meter = meter_of(every_hour(10, 2, 500), opened_s=at(10), closed_s=at(12))
    cost = rate_again([(meter, calendar)], OCTOBER)
    assert (cost.energy_wh, cost.components["fixed:standing"]) == (24_000, 2_000_000)


def test_without_a_version_in_force_it_cannot_be_rated():
    calendar = Calendar((Tariff(1, at(2), FLAT),), NAIROBI)
    with pytest.raises(NoPlanInForce):
        rate_again([(meter_of([]), calendar)], OCTOBER)


def test_what_changes_within_an_hour_is_not_exact():
    split = (Band("all", tuple(range(7)), 0, 1110), Band("late", tuple(range(7)), 1110, 1440))
    half_past = Prices((FLAT.periods[0], Period("late", (Block(1),))), split)
    quarters = replace(FLAT, demand=(Demand("peak", 1, "highest", window_minutes=15),))
    for prices, exact in ((FLAT, True), (half_past, False), (quarters, False)):
        assert is_exact(calendar_of(prices), OCTOBER.from_s, OCTOBER.to_s) is exact
    mid_hour = Calendar((Tariff(1, 0, FLAT), Tariff(2, at(5) + 60, FLAT)), NAIROBI)
    assert not is_exact(mid_hour, OCTOBER.from_s, OCTOBER.to_s)
    assert is_exact(mid_hour, at(6), OCTOBER.to_s)
    assert not is_exact(Calendar((Tariff(1, at(5), FLAT),), NAIROBI), at(4), at(6))


def test_the_last_month_is_the_one_that_has_ended_there():
    just_before, just_after = at(1, month=11) - 1, at(1, month=11)
    assert month_before(just_after, NAIROBI) == OCTOBER
    assert month_before(just_before, NAIROBI).to_s == OCTOBER.from_s
    january = int(datetime(2027, 1, 5, tzinfo=NAIROBI).timestamp())
    assert month_before(january, NAIROBI).from_s == at(1, month=12)


def test_a_comparison_adds_up_component_by_component():
    meter = meter_of(every_hour(3, 6, 1000))
    old = rate_again([(meter, calendar_of(FLAT))], OCTOBER)
    new = rate_again([(meter, calendar_of(INCLINING))], OCTOBER)
    total = Compared()
    for _ in range(3):
        total.add(Compared.of(old, new, charged_micro=old.amount_micro, exact=True))
    assert (total.old_micro, total.new_micro) == (3 * old.amount_micro, 3 * new.amount_micro)
    assert sum(two[0] for two in total.components.values()) == total.old_micro
    assert sum(two[1] for two in total.components.values()) == total.new_micro
    assert total.components["levy:fuel"] == [0, 3 * 144 * 3_200_000]
    assert total.exact
    total.add(Compared(exact=False))
    assert not total.exact


LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
"""Its clocks move by half an hour."""


@pytest.mark.parametrize(
    ("half_hour", "dear_from_minute"),
    [
        pytest.param(datetime(2026, 4, 4, 15, tzinfo=UTC), 120, id="01:30 comes again"),
        pytest.param(datetime(2026, 10, 3, 15, 30, tzinfo=UTC), 180, id="02:30 follows 01:59"),
    ],
)
def test_the_half_hour_where_clocks_move_by_half_an_hour_costs_what_was_charged(
    half_hour, dear_from_minute
):
    """It is an hour of its own, and what follows has another price."""
    begins_s = int(half_hour.timestamp())
    ends_s = begins_s + 1800
    assert hour_end_s(begins_s, LORD_HOWE) == ends_s
    days = tuple(range(7))
    prices = Prices(
        (Period("cheap", (Block(1_000_000),)), Period("dear", (Block(5_000_000),))),
        (Band("cheap", days, 0, dear_from_minute), Band("dear", days, dear_from_minute, 1440)),
    )
    calendar = calendar_of(prices, zone=LORD_HOWE)
    readings = [(begins_s - 3600, 0), (begins_s, 0), (ends_s, 1000), (ends_s + 7200, 1000)]
    state, done = rated(calendar, readings)
    span = span_between(begins_s - 3600, ends_s + 7200, LORD_HOWE)
    assert is_exact(calendar, span.from_s, span.to_s)
    again = rate_again([(metered(readings, done, state), calendar)], span)
    assert sum(charge[8] for charge in done.charges) == 1_000_000
    assert (again.energy_wh, again.amount_micro) == (1000, 1_000_000)
