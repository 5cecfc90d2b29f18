"""The engine and the oracle agree to the micro-unit, line by line, on any plan and any readings."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.tariff import slow_rater
from tests.unit.tariff.documents import CLASSES, Document, documents
from tests.unit.tariff.strategies import STARTS, ZONES

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.rating import finish, rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

Readings = list[tuple[int, int]]
Versions = list[tuple[int, Document]]

zones = st.sampled_from(ZONES)
customers = st.tuples(st.sampled_from(CLASSES), st.sampled_from([0, 1500, 9200]))


@st.composite
def load_curves(draw: st.DrawFn) -> Readings:
    """(seconds, register): regular readings under a changing load, gaps, standstill and leaps."""
    at_s, register_wh = draw(st.sampled_from(STARTS)) + draw(st.integers(0, 90_000)), 1000
    made = [(at_s, register_wh)]
    gap = st.sampled_from([60, 900, 1800, 3600]) | st.integers(1, 20_000) | st.integers(1, 90_000)
    load = st.just(0) | st.integers(1, 60) | st.integers(1, 5000)
    for _ in range(draw(st.integers(1, 10))):
        at_s += draw(gap)
        register_wh += draw(load)
        made.append((at_s, register_wh))
    return made


@st.composite
def cases(draw: st.DrawFn) -> tuple[Versions, Readings]:
    """One to three versions, the later ones beginning on a full minute among the readings."""
    taken = draw(load_curves())
    span = st.integers(taken[0][0] // 60, taken[-1][0] // 60).map(lambda minute: minute * 60)
    later = sorted(draw(st.sets(span, max_size=2)))
    return [(at_s, draw(documents())) for at_s in (0, *later)], taken


def calendar_of(versions: Versions, zone: ZoneInfo, customer_class: str) -> Calendar:
    tariffs = []
    for i, (at_s, document) in enumerate(versions):
        made = PlanDocument.model_validate(document).prices()
        check(made)
        tariffs.append(Tariff(i + 1, at_s, made).for_class(customer_class))
    return Calendar(tuple(tariffs), zone)


def rated_lines(
    calendar: Calendar, taken: Readings, *, connected_w: int, finished: bool
) -> slow_rater.Lines:
    (at_s, register_wh), *later = taken
    state, rated = (
        RatingState(
            7, account_id=9, currency="KES", calendar=calendar, register_wh=register_wh,
            read_at_s=at_s, connected_w=connected_w,
        ),
        Rated(),
    )  # fmt: skip
    for reading in later:
        rate(state, *reading, rated)
    if finished:
        finish(state, rated)
    total: slow_rater.Lines = {}
    for charge in rated.charges:
        for component, period, block, wh, micro in charge[-1]:
            before = total.get((component, period, block), (0, 0))
            total[(component, period, block)] = (before[0] + wh, before[1] + micro)
    return {line: cost for line, cost in total.items() if any(cost)}


@given(cases(), zones, customers, st.integers(1, 10))
def test_both_raters_agree_after_every_reading(case, zone, customer, stop):
    """C of the first readings and C of all: so every charge in between is right too."""
    versions, taken = case
    customer_class, connected_w = customer
    calendar = calendar_of(versions, zone, customer_class)
    for readings in (taken[: stop + 1], taken):
        expected = slow_rater.rate(
            versions, zone, readings, customer_class=customer_class, connected_w=connected_w
        )
        found = rated_lines(calendar, readings, connected_w=connected_w, finished=False)
        assert found == expected


@given(cases(), zones, customers)
def test_both_raters_agree_when_the_last_scope_is_closed(case, zone, customer):
    versions, taken = case
    customer_class, connected_w = customer
    calendar = calendar_of(versions, zone, customer_class)
    expected = slow_rater.rate(
        versions, zone, taken,
        customer_class=customer_class, connected_w=connected_w, finished=True,
    )  # fmt: skip
    assert rated_lines(calendar, taken, connected_w=connected_w, finished=True) == expected


def test_power_that_was_paid_is_not_paid_again_under_windows_of_another_length():
    """Six kW in a quarter of an hour, then five over an hour: the second are paid already."""

    def plan(window: int) -> Document:
        demand = {"name": "peak", "price": "12", "of": "highest", "window_minutes": window}
        return {"energy": {"periods": [{"name": "all", "blocks": [{"price": "0"}]}]},
                "demand": [demand]}  # fmt: skip

    start = 1_769_731_200
    versions = [(0, plan(15)), (start + 3600, plan(60))]
    taken = [(start, 0), (start + 900, 1500), (start + 3600, 1500), (start + 7200, 6500)]
    calendar = calendar_of(versions, ZoneInfo("UTC"), "")
    found = rated_lines(calendar, taken, connected_w=0, finished=True)
    assert found[("demand:peak", "", 0)] == (0, 72_000_000)
    assert found == slow_rater.rate(versions, ZoneInfo("UTC"), taken, finished=True)
