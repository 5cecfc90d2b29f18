"""The tariff service's rater and the audit's agree to the micro-unit, on anything."""

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tariff.documents import CLASSES, documents

from npms_operations.audit.rater.almanac import Almanac
from npms_operations.audit.rater.bill import Bill, bill
from npms_operations.audit.rater.documents import read_version
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.rating import finish, rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

ZONES = ("Africa/Nairobi", "Europe/Berlin", "Australia/Lord_Howe", "Cuba", "Asia/Kathmandu")
BEGINS_S = int(datetime(2026, 3, 27, tzinfo=UTC).timestamp())
CONNECTED_W = 7321

steps = st.lists(
    st.tuples(st.integers(1, 40_000) | st.integers(1, 500_000), st.integers(0, 3000)),
    min_size=1,
    max_size=25,
)
Dated = list[tuple[int, dict[str, Any]]]


@st.composite
def versions(draw: st.DrawFn) -> Dated:
    """One to three versions with their beginnings, the first from before the readings."""
    gaps = draw(st.lists(st.integers(1, 900_000), max_size=2))
    begins = [BEGINS_S]
    for gap in gaps:
        begins.append(begins[-1] + gap)
    return [(from_s, draw(documents())) for from_s in begins]


def rated_quickly(
    dated: Dated,
    zone: ZoneInfo,
    readings: list[tuple[int, int]],
    *,
    customer_class: str,
    ends: bool,
) -> tuple[RatingState, Rated]:
    tariffs = []
    for i, (from_s, document) in enumerate(dated):
        prices = PlanDocument.model_validate(document).prices()
        check(prices)
        tariffs.append(Tariff(i + 1, from_s, prices).for_class(customer_class))
    state, rated = (
        RatingState(
            1,
            account_id=1,
            currency="KES",
            calendar=Calendar(tuple(tariffs), zone),
            register_wh=readings[0][1],
            read_at_s=readings[0][0],
            connected_w=CONNECTED_W,
        ),
        Rated(),
    )
    for reading in readings[1:]:
        rate(state, *reading, rated)
    if ends:
        finish(state, rated)
    return state, rated


def rated_slowly(
    dated: Dated,
    zone: ZoneInfo,
    readings: list[tuple[int, int]],
    *,
    customer_class: str,
    ends: bool,
) -> Bill:
    read = [
        read_version(
            i + 1, from_s, document, customer_class=customer_class, connected_w=CONNECTED_W
        )
        for i, (from_s, document) in enumerate(dated)
    ]
    almanac = Almanac(read, zone, from_s=BEGINS_S, to_s=readings[-1][0])
    made = bill(readings[0], readings[1:], almanac)
    if ends:
        made.close()
    return made


@given(versions(), st.sampled_from(ZONES), steps, st.sampled_from(CLASSES), st.booleans())
def test_both_raters_charge_the_same(dated, zone_name, moves, customer_class, ends):
    zone, readings = ZoneInfo(zone_name), [(BEGINS_S, 700)]
    for took_s, used_wh in moves:
        readings.append((readings[-1][0] + took_s, readings[-1][1] + used_wh))
    how = {"customer_class": customer_class, "ends": ends}
    state, rated = rated_quickly(dated, zone, readings, **how)
    made = rated_slowly(dated, zone, readings, **how)
    lines: dict[tuple[str, str, int], int] = {}
    for charge in rated.charges:
        for component, period, block, _, micro in charge[-1]:
            lines[component, period, block] = lines.get((component, period, block), 0) + micro
    assert {line: micro for line, micro in lines.items() if micro} == {
        line: micro for line, micro in made.lines().items() if micro
    }
    assert made.energy_wh == sum(charge[7] for charge in rated.charges) == state.rated_wh
    assert made.cost_micro == sum(charge[8] for charge in rated.charges) == state.charged_micro
    assert made.tax_micro == sum(charge[9] for charge in rated.charges)
