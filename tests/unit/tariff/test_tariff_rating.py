"""Charges telescope, are exact, and do not depend on how readings were cut."""

from dataclasses import replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tariff.strategies import (
    EVERY_DAY,
    FLAT,
    STANDING,
    ZONES,
    blocks,
    opened,
    prices,
    readings,
    sum_lines,
    versions_of,
)

from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.plan import Band, BlockRule, Minimum, Period, Prices, Tax
from npms_tariff.domain.rating import NoPlanInForce, finish, rate, rate_across
from npms_tariff.domain.state import LISTS, NUMBERS, Rated, RatingState

zones = st.sampled_from(ZONES)
SAME = ("charged_micro", "rated_wh", "readings_billed", "slot_micro", "room_wh", "nano",
        "paid_micro", "paid_wh", *NUMBERS, *LISTS)  # fmt: skip
NAIROBI = ZoneInfo("Africa/Nairobi")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp())


def run(calendar: Calendar, taken: list[tuple[int, int]], *, how=rate) -> tuple[RatingState, Rated]:
    state, rated = opened(calendar, *taken[0]), Rated()
    for at_s, register_wh in taken[1:]:
        how(state, at_s, register_wh, rated)
    return state, rated


def flat(zone: ZoneInfo, made: Prices = FLAT) -> Calendar:
    return Calendar(versions_of((0, made)), zone)


@st.composite
def dated(draw: st.DrawFn) -> tuple[list[tuple[int, Prices]], list[tuple[int, int]]]:
    """One to three versions, the later ones beginning on a full minute among the readings."""
    taken = draw(readings())
    span = st.integers(taken[0][0] // 60, taken[-1][0] // 60).map(lambda minute: minute * 60)
    later = sorted(draw(st.sets(span, max_size=2)))
    return [(at_s, draw(prices())) for at_s in (0, *later)], taken


@given(dated(), zones)
def test_the_quick_way_and_the_general_way_are_one(case, zone):
    versions, taken = case
    quick_state, quick = run(Calendar(versions_of(*versions), zone), taken)
    slow_state, slow = run(Calendar(versions_of(*versions), zone), taken, how=rate_across)
    assert [(*c[:-1], sorted(c[-1])) for c in quick.charges] == [
        (*c[:-1], sorted(c[-1])) for c in slow.charges
    ]
    assert (quick.hours, quick.days, quick.months) == (slow.hours, slow.days, slow.months)
    assert quick.scopes == slow.scopes
    for name in SAME:
        assert getattr(quick_state, name) == getattr(slow_state, name), name


def test_a_version_that_ends_at_a_reading_ends_with_a_charge_where_the_next_one_begins():
    """So the ledger cannot tell charges by the register and instant at which they begin alone."""
    least = replace(FLAT, minimum=Minimum(100_000_000, on=("energy",)))
    end_s = at("2026-03-10T00:00:00+03:00")
    calendar = Calendar(versions_of((0, least), (end_s, least)), NAIROBI)
    taken = [(end_s - 3600, 1000), (end_s, 1010), (end_s + 3600, 1030)]
    _, rated = run(calendar, taken)
    assert [(c[2], c[3], c[4], c[5]) for c in rated.charges] == [
        (1000, 1010, end_s - 3600, end_s),
        (1010, 1010, end_s, end_s),
        (1010, 1030, end_s, end_s + 3600),
    ]


@given(dated(), zones)
def test_lines_charges_hours_and_scopes_all_add_up(case, zone):
    versions, taken = case
    state, rated = run(Calendar(versions_of(*versions), zone), taken)
    for charge in rated.charges:
        *_, energy_wh, amount, tax, lines = charge
        assert sum(line[4] for line in lines) == amount
        assert sum(line[3] for line in lines) == energy_wh == charge[3] - charge[2]
        assert sum(line[4] for line in lines if line[0].startswith("tax:")) == tax
    assert sum(c[7] for c in rated.charges) == state.rated_wh == taken[-1][1] - taken[0][1]
    assert sum(c[8] for c in rated.charges) == state.charged_micro
    assert sum(h[2] for h in rated.hours) + state.hour_wh == state.rated_wh
    assert sum(h[3] for h in rated.hours) + state.hour_micro == state.charged_micro
    assert sum(scope[-1] for scope in rated.scopes) + state.cost_micro() == state.charged_micro
    finish(state, rated)
    assert sum(scope[-1] for scope in rated.scopes) == state.charged_micro
    for closed in (rated.hours, rated.days, rated.months):
        assert sum(one[2] for one in closed) == state.rated_wh
        assert sum(one[3] for one in closed) == state.charged_micro
    assert sum(c[8] for c in rated.charges) == state.charged_micro


@given(
    prices(),
    zones,
    readings(),
    st.lists(st.integers(1, 99), max_size=6, unique=True),
    st.integers(0, 40),
)
def test_any_cut_on_the_line_costs_the_same(made, zone, taken, cuts, wh_a_step):
    """Between two readings power is constant; readings in between change nothing."""
    (from_s, from_wh), (to_s, _) = taken[0], taken[-1]
    step_s = max((to_s - from_s) // 100, 1)
    line = [(from_s + n * step_s, from_wh + n * wh_a_step) for n in (0, *sorted(cuts), 100)]
    whole_state, whole = run(flat(zone, made), [line[0], line[-1]])
    cut_state, cut = run(flat(zone, made), line)
    assert sum_lines(whole.charges) == sum_lines(cut.charges)
    assert whole.hours == cut.hours
    assert whole_state.charged_micro == cut_state.charged_micro


@given(dated(), zones, st.integers(0, 500))
def test_without_discounts_going_on_never_takes_anything_back(case, zone, more_wh):
    """A discount on a discount, with its tax, may grow faster than what it takes off."""
    versions, taken = case
    versions = [(at_s, replace(made, discounts=())) for at_s, made in versions]
    calendar = Calendar(versions_of(*versions), zone)
    before, _ = run(calendar, taken)
    last_s, last_wh = taken[-1]
    after, _ = run(calendar, [*taken, (last_s + 600, last_wh + more_wh)])
    assert after.charged_micro >= before.charged_micro
    assert after.rated_wh == before.rated_wh + more_wh


@given(dated(), zones, st.integers(0, 8))
def test_a_state_that_was_stored_goes_on_the_same(case, zone, stop):
    versions, taken = case
    calendar = Calendar(versions_of(*versions), zone)
    through, expected = run(calendar, taken)
    state, rated = run(calendar, taken[: stop + 1])
    stored = opened(calendar, state.read_at_s, state.register_wh)
    for name in ("rated_wh", "charged_micro", "readings_billed", *NUMBERS):
        setattr(stored, name, getattr(state, name))
    for name in LISTS:
        setattr(stored, name, list(getattr(state, name)))
    if state.tariff is not None:
        stored.resume(state.tariff)
    for at_s, register_wh in taken[stop + 1 :]:
        rate(stored, at_s, register_wh, rated)
    assert rated == expected
    assert stored.charged_micro == through.charged_micro


def test_r1_a_reading_that_crosses_a_block_is_split():
    made = Prices(periods=(Period("all", blocks(10_000_000, 20_000_000, upto_wh=(1000,))),))
    _, rated = run(flat(NAIROBI, made), [(at("2026-11-02T08:00+03:00"), 0),
                                         (at("2026-11-02T08:30+03:00"), 1500)])  # fmt: skip
    assert rated.charges[0][-1] == [
        ("energy", "all", 1, 1000, 10_000_000),
        ("energy", "all", 2, 500, 10_000_000),
    ]


def test_the_upper_bound_belongs_to_the_lower_block():
    made = Prices(periods=(Period("all", blocks(10_000_000, 20_000_000, upto_wh=(1000,))),))
    start = at("2026-11-02T08:00+03:00")
    _, rated = run(flat(NAIROBI, made), [(start, 0), (start + 60, 1000), (start + 120, 1001)])
    assert [charge[-1][0][2] for charge in rated.charges] == [1, 2]


def test_r2_blocks_begin_again_at_local_midnight_of_the_month():
    made = Prices(periods=(Period("all", blocks(10_000_000, 20_000_000, upto_wh=(1000,))),))
    taken = [
        (at("2026-11-30T23:00+03:00"), 0),
        (at("2026-12-01T01:00+03:00"), 2400),
    ]
    state, rated = run(flat(NAIROBI, made), taken)
    assert rated.scopes == [(7, 1, 202611, [1000, 200], 1, 0, [], 14_000_000)]
    assert (state.month, state.slots) == (202612, [1000, 200])


def test_r3_a_new_version_counts_from_its_instant():
    change = at("2026-11-02T08:15+03:00")
    dearer = Prices(periods=(Period("all", blocks(49_000_000)),))
    calendar = Calendar(versions_of((0, FLAT), (change, dearer)), NAIROBI)
    taken = [(change - 900, 0), (change + 900, 2000)]
    _, rated = run(calendar, taken)
    assert [(c[2], c[3], c[6], c[8]) for c in rated.charges] == [
        (0, 1000, 1, 24_500_000),
        (1000, 2000, 2, 49_000_000),
    ]


def test_a_version_that_begins_within_a_day_does_not_charge_the_day_again():
    change = at("2026-11-02T08:15+03:00")
    daily = Prices(periods=FLAT.periods, fixed=(STANDING,))
    calendar = Calendar(versions_of((0, daily), (change, daily)), NAIROBI)
    state, _ = run(calendar, [(change - 900, 0), (change + 86_400, 0)])
    assert state.charged_micro == 10_000_000


@pytest.mark.parametrize(
    ("day", "hours"), [("2026-03-29", 23), ("2026-10-25", 25), ("2026-10-26", 24)]
)
def test_r4_days_of_23_and_25_hours_have_every_hour_once(day, hours):
    bands = (Band("night", EVERY_DAY, 0, 180), Band("day", EVERY_DAY, 180, 1440))
    made = Prices(
        periods=(Period("night", blocks(10_000_000)), Period("day", blocks(20_000_000))),
        schedule=bands,
    )
    start = int(datetime.fromisoformat(day).replace(tzinfo=BERLIN).timestamp())
    state, rated = run(flat(BERLIN, made), [(start, 0), (start + hours * 3600, hours * 100)])
    assert [h[2] for h in rated.hours] + [state.hour_wh] == [100] * hours
    assert sum(1 for h in rated.hours if h[3] == 1_000_000) == hours - 21
    assert state.days == 1


def test_r5_a_day_is_charged_though_nothing_was_used_and_taxed():
    made = Prices(
        periods=FLAT.periods, fixed=(STANDING,), taxes=(Tax("vat", 160_000, ("standing",)),)
    )
    start = at("2026-11-02T08:00+03:00")
    taken = [(start, 50), (start + 60, 50), (start + 120, 50), (start + 86_400, 50)]
    state, rated = run(flat(NAIROBI, made), taken)
    assert [(c[7], c[8], c[9]) for c in rated.charges] == [(0, 5_800_000, 800_000)] * 2
    assert state.readings_billed == 3


def test_per_period_blocks_count_each_period_by_itself():
    bands = (Band("night", EVERY_DAY, 0, 360), Band("day", EVERY_DAY, 360, 1440))
    periods = (
        Period("night", blocks(1_000_000, 2_000_000, upto_wh=(1000,))),
        Period("day", blocks(3_000_000, 4_000_000, upto_wh=(1000,))),
    )
    taken = [(at("2026-11-02T05:00+03:00"), 0), (at("2026-11-02T07:00+03:00"), 1600)]
    lines = {}
    for count in ("period", "all"):
        made = Prices(periods, schedule=bands, blocks=BlockRule(count=count))
        lines[count] = [line[1:4] for line in run(flat(NAIROBI, made), taken)[1].charges[0][-1]]
    assert lines["period"] == [("night", 1, 800), ("day", 1, 800)]
    assert lines["all"] == [("night", 1, 800), ("day", 1, 200), ("day", 2, 600)]


def test_without_a_version_in_force_nothing_changes():
    start = at("2026-11-02T08:00+03:00")
    calendar = Calendar(versions_of((start + 60, FLAT)), NAIROBI)
    state, rated = opened(calendar, start, 0), Rated()
    with pytest.raises(NoPlanInForce):
        rate(state, start + 120, 500, rated)
    assert (state.register_wh, state.read_at_s, rated) == (0, start, Rated())


def test_local_hours_of_half_hour_zones_begin_on_the_local_hour():
    kathmandu = ZoneInfo("Asia/Kathmandu")
    start = at("2026-11-02T08:40+05:45")
    _, rated = run(flat(kathmandu), [(start, 0), (start + 7200, 1200)])
    begun = [datetime.fromtimestamp(h[1], UTC).astimezone(kathmandu) for h in rated.hours]
    assert [(b.hour, b.minute) for b in begun] == [(8, 0), (9, 0)]
    assert [h[2] for h in rated.hours] == [200, 600]
