"""Buying units: exact to the last of them, against a cost that is added up another way."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.unit.tariff import strategies
from tests.unit.tariff.selling import INCLINING, NAIROBI, NOON_S, OPENED_S, plans, state_of

from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.plan import (
    Band,
    Block,
    Demand,
    FreeUnits,
    Minimum,
    Period,
    Prices,
)
from npms_tariff.domain.rating import NoPlanInForce, rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff
from npms_tariff.domain.vending import (
    MOST_WH,
    CannotSell,
    Position,
    Sale,
    money_for,
    position_at,
    units_for,
)


def position_of(prices: Prices, *, used_wh: int = 0) -> Position:
    return position_at(state_of(prices, used_wh=used_wh), NOON_S)


def measures_demand(prices: Prices) -> bool:
    return any(one.of == "highest" for one in prices.demand)


positions = st.builds(
    lambda prices, used_wh: position_of(prices, used_wh=used_wh),
    plans(),
    st.integers(0, 9000),
)
any_positions = st.builds(
    lambda prices, used_wh: position_of(prices, used_wh=used_wh),
    st.one_of(plans(), strategies.prices().filter(lambda p: not measures_demand(p))),
    st.integers(0, 9000),
)
"""Of the whole language; discounts may take off more than a unit costs."""
MONEY = st.integers(0, 10**10)
UNITS = st.integers(0, 10**6)


def bought(position: Position, money_micro: int) -> Sale:
    """Of plans that do not give their energy away."""
    assume(money_for(position, MOST_WH).cost_micro > money_micro)
    return units_for(position, money_micro)


@given(any_positions, MONEY)
def test_p11_units_cost_no_more_than_the_money_and_one_more_unit_does(position, money_micro):
    sale = bought(position, money_micro)
    assert sale.cost_micro <= money_micro
    assert money_for(position, sale.energy_wh + 1).cost_micro > money_micro
    assert sale.cost_micro == money_for(position, sale.energy_wh).cost_micro


@given(positions, UNITS)
def test_p11_the_money_for_units_buys_units_that_cost_the_same(position, energy_wh):
    money_micro = money_for(position, energy_wh).cost_micro
    sale = bought(position, money_micro)
    assert sale.energy_wh >= energy_wh
    assert (sale.cost_micro, sale.residue_micro) == (money_micro, 0)


@given(any_positions, MONEY)
def test_p11_parts_and_residue_sum_exactly_to_the_payment(position, money_micro):
    sale = bought(position, money_micro)
    assert sum(line[4] for line in sale.lines) + sale.residue_micro == money_micro
    assert sum(line[3] for line in sale.lines if line[0] == "energy") == sale.energy_wh
    tax_micro = sum(line[4] for line in sale.lines if line[0].startswith("tax:"))
    assert sale.tax_micro == tax_micro


@given(positions, st.lists(UNITS, min_size=2, max_size=2).map(sorted))
def test_more_units_never_cost_less(position, two):
    fewer, more = (money_for(position, wh).cost_micro for wh in two)
    assert fewer <= more


@given(plans(), st.integers(0, 9000), UNITS)
def test_a_sale_costs_what_a_reading_of_that_energy_would(prices, used_wh, energy_wh):
    """Rated for real a second later, on a day already begun and used."""
    state = state_of(prices, used_wh=used_wh)
    rate(state, NOON_S, state.register_wh + 1, Rated())
    position = position_at(state, NOON_S)
    before = state.charged_micro
    rate(state, NOON_S + 1, state.register_wh, Rated())
    assert state.charged_micro == before
    rate(state, NOON_S + 2, state.register_wh + energy_wh, Rated())
    assert state.charged_micro - before == money_for(position, energy_wh).cost_micro


@given(any_positions, MONEY)
def test_t7_a_trial_changes_nothing_and_says_the_same_again(position, money_micro):
    first = bought(position, money_micro)
    money_for(position, first.energy_wh + 5)
    assert units_for(position, money_micro) == first


def test_the_receipt_shows_the_split_over_the_blocks():
    """40 kWh are used: 10 more are in the first block, 100 in the second, the rest in the third."""
    sale = units_for(position_of(INCLINING, used_wh=40_000), 5_000_000_000)
    energy = {line[2]: line[3] for line in sale.lines if line[0] == "energy"}
    assert (energy[1], energy[2]) == (10_000, 100_000)
    net = Fraction(10) * (1222 + 320) + 100 * (2097 + 320)
    last = (Fraction(5000_00) / Fraction(116, 100) - net) / (2745 + 320)
    assert energy[3] == int(last * 1000)
    assert [line[0] for line in sale.lines][-2:] == ["levy:fuel", "tax:vat"]
    assert 0 <= sale.residue_micro < 30_650 * 1.16 + 1


def test_the_position_is_the_month_so_far_and_begins_anew_with_the_next():
    state = state_of(INCLINING, used_wh=60_000)
    position = position_at(state, NOON_S)
    assert (position.month_wh, position.period) == (60_000, "all")
    assert money_for(position, 1000).lines[0][2] == 2
    december_s = int(datetime(2026, 12, 1, tzinfo=NAIROBI).timestamp())
    following = position_at(state, december_s)
    assert following.month_wh == 0
    assert money_for(following, 1000).lines[0][2] == 1
    assert position_at(state, december_s - 1).month_wh == 60_000


def test_the_period_in_force_at_the_sale_is_used_and_named():
    night = (Band("night", tuple(range(7)), 0, 720), Band("day", tuple(range(7)), 720, 1440))
    prices = Prices(
        (Period("day", (Block(20_000_000),)), Period("night", (Block(10_000_000),))), night
    )
    state = state_of(prices)
    for at_s, period, cost_micro in (
        (NOON_S, "day", 20_000_000),
        (NOON_S - 1, "night", 10_000_000),
    ):
        position = position_at(state, at_s)
        assert position.period == period
        assert money_for(position, 1000).cost_micro == cost_micro


def test_what_accrues_by_the_day_is_named_and_not_charged():
    prices = replace(
        INCLINING,
        demand=(Demand("connected", 10_000_000, "connected"),),
        minimum=Minimum(50_000_000, ("energy",)),
    )
    position = position_of(prices)
    assert position.not_included == ("standing", "connected", "minimum")
    assert money_for(position, 0).cost_micro == 0
    lines = {line[0] for line in money_for(position, 1000).lines}
    assert lines == {"energy", "levy:fuel", "tax:vat"}


def test_a_plan_that_measures_demand_sells_no_units():
    prices = replace(INCLINING, demand=(Demand("peak", 12_000_000, "highest"),))
    with pytest.raises(CannotSell) as refused:
        position_of(prices)
    assert refused.value.code == "demand_measured"


def test_energy_that_costs_nothing_has_no_end():
    with pytest.raises(CannotSell) as refused:
        units_for(position_of(Prices((Period("all", (Block(0),)),))), 1)
    assert refused.value.code == "units_unlimited"


def test_free_units_come_first():
    prices = replace(INCLINING, free=FreeUnits(2_000))
    sale = money_for(position_of(prices, used_wh=500), 2_000)
    assert sale.lines[0] == ("energy", "free", 0, 1_500, 0)
    assert sale.lines[1][:4] == ("energy", "all", 1, 500)
    assert units_for(position_of(prices, used_wh=500), 0).energy_wh == 1_500


def test_before_any_version_is_in_force_nothing_is_sold():
    calendar = Calendar((Tariff(7, NOON_S + 1, INCLINING),), ZoneInfo("UTC"))
    state = RatingState(
        1, account_id=1, currency="KES", calendar=calendar, register_wh=0, read_at_s=OPENED_S
    )
    with pytest.raises(NoPlanInForce):
        position_at(state, NOON_S)


def test_a_quote_after_a_reading_from_the_future_is_of_that_reading():
    state = state_of(INCLINING)
    rate(state, NOON_S + 60, 2000, Rated())
    assert position_at(state, NOON_S).month_wh == 1000
    assert datetime.fromtimestamp(state.read_at_s, UTC).minute == 1
