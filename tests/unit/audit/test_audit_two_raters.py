"""The tariff service's rater and the audit's agree to the micro-unit, on anything."""

from datetime import UTC, datetime
from fractions import Fraction
from itertools import pairwise
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.plan import Band, Period, Prices, Tax
from npms_tariff.domain.rating import rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff
from npms_tools.audit.rater import plan as slow
from npms_tools.audit.rater.almanac import Almanac
from npms_tools.audit.rater.bill import Bill, bill

ZONES = ("Africa/Nairobi", "Europe/Berlin", "Australia/Lord_Howe", "Cuba", "Asia/Kathmandu")
BEGINS_S = int(datetime(2026, 3, 27, tzinfo=UTC).timestamp())


@st.composite
def bands(draw: st.DrawFn, names: list[str]) -> tuple[Band, ...]:
    """A week without gap or overlap."""
    if len(names) == 1:
        return ()
    cuts = draw(st.sets(st.integers(1, 1439), min_size=1, max_size=4))
    edges = [0, *sorted(cuts), 1440]
    weekdays = draw(st.sampled_from([[(0, 1, 2, 3, 4), (5, 6)], [(0, 1, 2, 3, 4, 5, 6)]]))
    return tuple(
        Band(draw(st.sampled_from(names)), days, start, end)
        for days in weekdays
        for start, end in pairwise(edges)
    )


@st.composite
def prices(draw: st.DrawFn) -> Prices:
    names = draw(st.sampled_from([["all"], ["day", "night"], ["peak", "mid", "off"]]))
    edges = sorted(draw(st.sets(st.integers(1, 4000), max_size=3)))
    price = st.integers(0, 40_000_000)
    shares = draw(st.lists(st.integers(0, 500_000), max_size=2))
    on = st.sampled_from([("energy",), ("daily",), ("energy", "daily")])
    return Prices(
        periods=tuple(
            Period(name, tuple(draw(price) for _ in range(len(edges) + 1))) for name in names
        ),
        schedule=draw(bands(names)),
        block_edges_wh=tuple(edges),
        block_scope=draw(st.sampled_from(["per_period", "month_total"])),
        daily_micro=draw(st.integers(0, 9_000_000)),
        taxes=tuple(Tax(f"t{i}", share, draw(on)) for i, share in enumerate(shares)),
    )


steps = st.lists(
    st.tuples(st.integers(1, 40_000) | st.integers(1, 500_000), st.integers(0, 3000)),
    min_size=1,
    max_size=25,
)


def retold(tariff: Tariff) -> slow.Version:
    written = tariff.prices
    return slow.Version(
        version_id=tariff.version_id,
        valid_from_s=tariff.valid_from_s,
        prices={p.name: [Fraction(m, 1000) for m in p.prices_micro] for p in written.periods},
        bands=tuple(
            slow.Band(b.period, frozenset(b.weekdays), b.from_minute, b.to_minute)
            for b in written.schedule
        ),
        block_edges_wh=written.block_edges_wh,
        blocks_per_period=written.block_scope == "per_period",
        daily_micro=written.daily_micro,
        taxes=tuple(
            slow.Tax(Fraction(t.rate_ppm, 1_000_000), "energy" in t.on, "daily" in t.on)
            for t in written.taxes
        ),
    )


def rated_slowly(tariffs: list[Tariff], zone: ZoneInfo, readings: list[tuple[int, int]]) -> Bill:
    almanac = Almanac(
        [retold(tariff) for tariff in tariffs], zone, from_s=BEGINS_S, to_s=readings[-1][0]
    )
    return bill(readings[0], readings[1:], almanac)


@given(
    st.lists(prices(), min_size=1, max_size=3),
    st.lists(st.integers(1, 900_000), min_size=2, max_size=2),
    st.sampled_from(ZONES),
    steps,
)
def test_both_raters_charge_the_same(written, gaps, zone_name, moves):
    zone, from_s, tariffs = ZoneInfo(zone_name), BEGINS_S, []
    for i, (one, gap) in enumerate(zip(written, [0, *gaps], strict=False)):
        from_s += gap
        tariffs.append(Tariff(version_id=i + 1, valid_from_s=from_s, prices=one))
    state = RatingState(
        1,
        account_id=1,
        currency="KES",
        calendar=Calendar(tuple(tariffs), zone),
        register_wh=700,
        read_at_s=BEGINS_S,
    )
    rated, readings = Rated(), [(BEGINS_S, 700)]
    for took_s, used_wh in moves:
        readings.append((readings[-1][0] + took_s, readings[-1][1] + used_wh))
        rate(state, *readings[-1], rated)
    made = rated_slowly(tariffs, zone, readings)
    assert made.energy_wh == sum(charge[7] for charge in rated.charges) == state.rated_wh
    assert made.cost_micro == sum(charge[8] for charge in rated.charges) == state.charged_micro
    assert made.tax_micro == sum(charge[9] for charge in rated.charges)
