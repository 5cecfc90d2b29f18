"""A plan that cannot rate is refused, and the place is named."""

from dataclasses import replace

import pytest
from tests.unit.tariff.strategies import EVERY_DAY, FLAT, STANDING, blocks

from npms_tariff.domain.checking import InvalidPlan, check
from npms_tariff.domain.plan import (
    HOLIDAY,
    Band,
    Block,
    BlockRule,
    Demand,
    Fixed,
    Levy,
    Minimum,
    Period,
    Prices,
    Season,
    Tax,
)

TWO = Prices(
    periods=(Period("night", blocks(1)), Period("day", blocks(2))),
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
            Prices(periods=(Period("all", (Block(1), Block(2))),)),
            ("/energy/periods/0/blocks/0/upto", "block_open"),
        ),
        (
            Prices(periods=(Period("all", (Block(1, 1000),)),)),
            ("/energy/periods/0/blocks/0/upto", "block_closed"),
        ),
        (
            Prices(periods=(Period("all", blocks(1, 2, 3, upto_wh=(1000, 1000))),)),
            ("/energy/periods/0/blocks/1/upto", "blocks_out_of_order"),
        ),
        (
            Prices(periods=(Period("all", blocks(-1)),)),
            ("/energy/periods/0/blocks/0/price", "negative_price"),
        ),
        (
            replace(FLAT, blocks=BlockRule(reset="day", size="prorated")),
            ("/energy/blocks/size", "size_does_not_fit"),
        ),
        (
            replace(
                FLAT, seasons=(Season("dry", (1, 1), (6, 30)), Season("wet", (7, 2), (12, 31)))
            ),
            ("/seasons", "season_gap"),
        ),
        (
            replace(
                FLAT, seasons=(Season("dry", (10, 1), (6, 30)), Season("wet", (6, 30), (9, 30)))
            ),
            ("/seasons", "season_overlap"),
        ),
        (
            replace(TWO, holidays=frozenset({(0, 12, 25)})),
            ("/energy/schedule", "gap"),
        ),
        (
            replace(
                TWO,
                schedule=(
                    replace(TWO.schedule[0], weekdays=(*EVERY_DAY, HOLIDAY)),
                    TWO.schedule[1],
                ),
            ),
            ("/energy/schedule/0/weekdays", "no_holidays"),
        ),
        (
            replace(TWO, schedule=(replace(TWO.schedule[0], seasons=("dry",)), TWO.schedule[1])),
            ("/energy/schedule/0/seasons/0", "unknown_season"),
        ),
        (
            replace(FLAT, fixed=(STANDING, STANDING)),
            ("/fixed/1/name", "duplicate_component"),
        ),
        (
            replace(FLAT, fixed=(Fixed("energy", 1),)),
            ("/fixed/0/name", "reserved_name"),
        ),
        (
            replace(FLAT, fixed=(Fixed("fee", 1, per="day", first_vend=True),)),
            ("/fixed/0/collect", "collect_does_not_fit"),
        ),
        (
            replace(
                FLAT,
                fixed=(Fixed("fee", 1, per="month", first_vend=True),),
                levies=(Levy("x", rate_ppm=1, on=("fee",)),),
            ),
            ("/levies/0/on/0", "unknown_component"),
        ),
        (
            replace(FLAT, levies=(Levy("x"),)),
            ("/levies/0", "levy_unclear"),
        ),
        (
            replace(FLAT, levies=(Levy("x", rate_ppm=1, on=("y",)), Levy("y", per_unit_micro=1))),
            ("/levies/0/on/0", "unknown_component"),
        ),
        (
            replace(FLAT, minimum=Minimum(1, ("vat",)), taxes=(Tax("vat", 1, ("energy",)),)),
            ("/minimum/on/0", "unknown_component"),
        ),
        (
            replace(FLAT, demand=(Demand("a", 1, of="highest", window_minutes=20),)),
            ("/demand/0/window_minutes", "window_unknown"),
        ),
        (
            replace(
                FLAT,
                demand=(
                    Demand("a", 1, of="highest", window_minutes=15),
                    Demand("b", 1, of="highest", window_minutes=30),
                ),
            ),
            ("/demand/1/window_minutes", "windows_differ"),
        ),
        (
            replace(FLAT, demand=(Demand("a", 1, of="highest", periods=("peak",)),)),
            ("/demand/0/periods/0", "unknown_period"),
        ),
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
            ("/taxes/1/name", "duplicate_component"),
        ),
    ],
)
def test_each_flaw_is_found_at_its_place(wrong, expected):
    assert flaws_of(wrong) == [expected]
