"""Scenarios of the field that the rater alone decides, by their numbers; R1 to R5 are in
test_tariff_rating."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tariff.documents import CLASSES, documents
from tests.unit.tariff.strategies import ZONES, blocks, opened, readings, sum_lines, versions_of

from npms_operations.audit.rater.almanac import Almanac
from npms_operations.audit.rater.bill import bill
from npms_operations.audit.rater.documents import read_version
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.plan import BlockRule, Demand, Fixed, FreeUnits, Period, Prices, Tax
from npms_tariff.domain.rating import finish, rate, succeed
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff
from npms_tariff.domain.vend_charges import vend_charges

NAIROBI = ZoneInfo("Africa/Nairobi")
STEPPED = Prices(
    periods=(Period("all", blocks(10_000_000, 20_000_000, upto_wh=(1000,))),),
    fixed=(Fixed("standing", 3_000_000),),
)


def at(text: str, zone: ZoneInfo = NAIROBI) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=zone).timestamp())


def swapped(
    calendar: Calendar, taken: list[tuple[int, int]], *, after: int
) -> tuple[RatingState, Rated]:
    """Another meter, that begins at 5, takes over at the reading with that index."""
    old, rated = opened(calendar, *taken[0]), Rated()
    for reading in taken[1 : after + 1]:
        rate(old, *reading, rated)
    finish(old, rated)
    swapped_s, closing_wh = taken[after]
    new = opened(calendar, swapped_s, 5)
    succeed(new, old)
    for at_s, register_wh in taken[after + 1 :]:
        rate(new, at_s, register_wh - closing_wh + 5, rated)
    return new, rated


def test_r7_a_new_meter_goes_on_in_the_month_where_the_old_one_stood():
    taken = [(at("2026-11-02 08:00"), 0), (at("2026-11-03 09:00"), 800),
             (at("2026-11-03 12:00"), 1300)]  # fmt: skip
    calendar = Calendar(versions_of((0, STEPPED)), NAIROBI)
    _, rated = swapped(calendar, taken, after=1)
    assert sum_lines(rated.charges) == {
        ("energy", "all", 1): 10_000_000,
        ("energy", "all", 2): 6_000_000,
        ("fixed:standing", "", 0): 6_000_000,
    }
    assert [(c[2], c[3]) for c in rated.charges] == [(0, 800), (5, 505)]


def test_r7_registers_of_two_meters_are_never_compared():
    taken = [(at("2026-11-02 08:00"), 99_000), (at("2026-11-02 09:00"), 99_500),
             (at("2026-11-02 10:00"), 99_600)]  # fmt: skip
    calendar = Calendar(versions_of((0, STEPPED)), NAIROBI)
    state, rated = swapped(calendar, taken, after=1)
    assert (state.register_wh, state.rated_wh) == (105, 100)
    assert sum(charge[7] for charge in rated.charges) == 600


@given(documents(), st.sampled_from(ZONES), readings(), st.sampled_from(CLASSES), st.data())
def test_r7_the_audit_bills_a_swap_alike(document, zone, taken, customer_class, data):
    after = data.draw(st.integers(0, len(taken) - 1))
    tariff = Tariff(1, 0, PlanDocument.model_validate(document).prices()).for_class(customer_class)
    _, rated = swapped(Calendar((tariff,), zone), taken, after=after)
    version = read_version(1, 0, document, customer_class=customer_class, connected_w=4600)
    almanac = Almanac([version], zone, from_s=taken[0][0], to_s=taken[-1][0])
    first = bill(taken[0], taken[1 : after + 1], almanac)
    first.close()
    second = bill(taken[after], taken[after + 1 :], almanac, before=first)
    expected = first.lines()
    for line, micro in second.lines().items():
        expected[line] = expected.get(line, 0) + micro
    assert sum_lines(rated.charges) == {line: micro for line, micro in expected.items() if micro}


def test_r5_a_monthly_charge_is_shared_out_to_the_micro_unit_on_joining_and_leaving():
    monthly = Prices(periods=STEPPED.periods, fixed=(Fixed("service", 31_000_001, per="month"),))
    state, rated = (
        opened(Calendar(versions_of((0, monthly)), NAIROBI), at("2026-10-30 18:00"), 0),
        Rated(),
    )
    rate(state, at("2026-11-01 00:00"), 0, rated)
    assert sum_lines(rated.charges) == {("fixed:service", "", 0): 31_000_001 * 2 // 31}
    rate(state, at("2026-11-30 23:59"), 0, rated)
    finish(state, rated)
    assert state.charged_micro == 31_000_001 * 2 // 31 + 31_000_001


def test_days_off_supply_cost_nothing_where_the_plan_says_so():
    skipping = Prices(periods=STEPPED.periods, fixed=(Fixed("standing", 5, skip_unused=True),))
    state, rated = (
        opened(Calendar(versions_of((0, skipping)), NAIROBI), at("2026-11-02 08:00"), 0),
        Rated(),
    )
    for when, register_wh in (
        ("02 20:00", 10),
        ("03 20:00", 10),
        ("04 20:00", 10),
        ("05 08:00", 11),
    ):
        rate(state, at(f"2026-11-{when}"), register_wh, rated)
    fixed = sum_lines(rated.charges)[("fixed:standing", "", 0)]
    assert fixed in (10, 15)  # the last Wh is spread over two days: rounded down, it falls on one
    assert fixed == 5 * state.used_days


def test_blocks_of_a_day_begin_anew_every_local_day():
    daily = Prices(periods=STEPPED.periods, blocks=BlockRule(reset="day"))
    state, rated = (
        opened(Calendar(versions_of((0, daily)), NAIROBI), at("2026-11-02 00:00"), 0),
        Rated(),
    )
    rate(state, at("2026-11-04 00:00"), 3000, rated)
    assert state.slots == [2000, 1000]


def test_prorated_bounds_are_those_of_the_days_left():
    shared = Prices(periods=STEPPED.periods, blocks=BlockRule(size="prorated"))
    state = opened(Calendar(versions_of((0, shared)), NAIROBI), at("2026-11-16 00:00"), 0)
    rate(state, at("2026-11-17 00:00"), 900, Rated())
    assert state.slots == [500, 400]


def test_free_units_are_gone_with_the_month():
    free = Prices(periods=STEPPED.periods, free=FreeUnits(600))
    state, rated = (
        opened(Calendar(versions_of((0, free)), NAIROBI), at("2026-11-29 00:00"), 0),
        Rated(),
    )
    rate(state, at("2026-12-01 00:00"), 100, rated)
    rate(state, at("2026-12-03 00:00"), 1700, rated)
    assert rated.scopes[0][3] == [0, 0, 100]
    assert state.slots == [400, 600, 600]


def test_demand_is_charged_as_it_rises_and_once_a_month():
    demand = Prices(
        periods=(Period("all", blocks(0)),),
        demand=(Demand("peak", 1_000_000, of="highest", window_minutes=30),),
    )
    later = at("2026-11-02 12:00")
    calendar = Calendar(versions_of((0, demand), (later, demand)), NAIROBI)
    state, rated = opened(calendar, at("2026-11-02 08:00"), 0), Rated()
    for when, register_wh in (
        ("08:30", 500),
        ("09:00", 700),
        ("12:00", 900),
        ("12:30", 1300),
        ("13:00", 1950),
    ):
        rate(state, at(f"2026-11-02 {when}"), register_wh, rated)
    grown = [line[4] for charge in rated.charges for line in charge[-1] if line[0] == "demand:peak"]
    assert grown == [1_000_000, 300_000]  # 1 kW, then 1.3 kW; 0.8 kW in between adds nothing


def test_what_the_first_top_up_pays_is_not_rated_and_has_its_taxes():
    prices = Prices(
        periods=STEPPED.periods,
        fixed=(Fixed("network", 200_000_000, per="month", first_vend=True),),
        taxes=(Tax("vat", 160_000, ("energy", "network")), Tax("duty", 1, ("network",))),
    )
    assert vend_charges(prices) == [("network", 200_000_000, 32_000_200)]
    state, rated = (
        opened(Calendar(versions_of((0, prices)), NAIROBI), at("2026-11-02 08:00"), 0),
        Rated(),
    )
    rate(state, at("2026-11-05 08:00"), 0, rated)
    assert rated.charges == []
