"""A plan that cannot rate is refused, and the place is named."""

from dataclasses import replace

import pytest
from tests.unit.tariff.strategies import EVERY_DAY, FLAT

from npms_tariff.domain.plan import Band, InvalidPlan, Period, Prices, Tax, check

TWO = Prices(
    periods=(Period("night", (1,)), Period("day", (2,))),
    schedule=(Band("night", EVERY_DAY, 0, 360), Band("day", EVERY_DAY, 360, 1440)),
)


def flaws_of(prices: Prices) -> list[tuple[str, str]]:
    with pytest.raises(InvalidPlan) as refused:
        check(prices)
    return [(flaw.pointer, flaw.code) for flaw in refused.value.flaws]


def test_flat_and_two_periods_are_good():
    check(FLAT)
    check(TWO)


def test_a_gap_is_named_with_its_day_and_time():
    weekdays = Band("day", (0, 1, 2, 3, 4), 360, 1440)
    with pytest.raises(InvalidPlan, match="no period applies on sat 06:00-24:00"):
        check(replace(TWO, schedule=(TWO.schedule[0], weekdays)))


def test_an_overlap_names_both_places():
    again = Band("day", (2,), 300, 400)
    with pytest.raises(InvalidPlan, match="/schedule/2: overlaps /energy/schedule/0 on wed 05:00"):
        check(replace(TWO, schedule=(*TWO.schedule, again)))


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (Prices(periods=()), ("/energy/periods", "no_periods")),
        (replace(TWO, schedule=()), ("/energy/schedule", "gap")),
        (
            replace(FLAT, periods=FLAT.periods * 2, schedule=(Band("all", EVERY_DAY, 0, 1440),)),
            ("/energy/periods/1/name", "duplicate_period"),
        ),
        (
            replace(FLAT, block_edges_wh=(1000,)),
            ("/energy/periods/0/prices", "wrong_number_of_prices"),
        ),
        (
            Prices(periods=(Period("all", (1, 2, 3)),), block_edges_wh=(1000, 1000)),
            ("/energy/block_edges_wh/1", "blocks_out_of_order"),
        ),
        (
            Prices(periods=(Period("all", (1, 2)),), block_edges_wh=(0,)),
            ("/energy/block_edges_wh/0", "blocks_out_of_order"),
        ),
        (Prices(periods=(Period("all", (-1,)),)), ("/energy/periods/0/prices/0", "negative_price")),
        (replace(FLAT, daily_micro=-1), ("/daily/amount", "negative_price")),
        (
            replace(TWO, schedule=(*TWO.schedule[:1], Band("dusk", EVERY_DAY, 360, 1440))),
            ("/energy/schedule/1/period", "unknown_period"),
        ),
        (
            replace(TWO, schedule=(*TWO.schedule, Band("day", EVERY_DAY, 1200, 360))),
            ("/energy/schedule/2", "empty_range"),
        ),
        (replace(FLAT, taxes=(Tax("vat", 1, ("water",)),)), ("/taxes/0/on/0", "unknown_component")),
        (
            replace(FLAT, taxes=(Tax("vat", 1, ("energy",)),) * 2),
            ("/taxes/1/name", "duplicate_tax"),
        ),
    ],
)
def test_each_flaw_is_found_at_its_place(wrong, expected):
    assert flaws_of(wrong) == [expected]
