"""Plans that sell energy, and an installation on one of them."""

from datetime import datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st

from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.checking import check
from npms_tariff.domain.plan import (
    Band,
    Block,
    BlockRule,
    Discount,
    Fixed,
    FreeUnits,
    Levy,
    Period,
    Prices,
    Tax,
)
from npms_tariff.domain.rating import rate
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.domain.tariff import Tariff

NAIROBI = ZoneInfo("Africa/Nairobi")
OPENED_S = int(datetime(2026, 11, 1, tzinfo=NAIROBI).timestamp())
NOON_S = int(datetime(2026, 11, 10, 12, tzinfo=NAIROBI).timestamp())
BLOCKS = (Block(12_220_000, 50_000), Block(20_970_000, 150_000), Block(27_450_000))
INCLINING = Prices(
    periods=(Period("all", BLOCKS),),
    fixed=(Fixed("standing", 5_000_000),),
    levies=(Levy("fuel", per_unit_micro=3_200_000),),
    taxes=(Tax("vat", 160_000, ("energy", "standing", "fuel")),),
)


def state_of(prices: Prices, *, used_wh: int = 0, **options: int) -> RatingState:
    """An installation opened on the first of November, which has used so much by the tenth."""
    check(prices)
    state = RatingState(
        1,
        account_id=101,
        currency="KES",
        calendar=Calendar((Tariff(7, 0, prices),), NAIROBI),
        register_wh=1000,
        read_at_s=OPENED_S,
        **options,
    )
    rate(state, NOON_S - 3600, 1000 + used_wh, Rated())
    return state


@st.composite
def plans(draw: st.DrawFn) -> Prices:
    """Plans that sell units: prices may be zero, but not so small that rounding alone decides."""
    price = st.one_of(st.just(0), st.integers(100_000, 90_000_000))
    bounds = sorted(draw(st.sets(st.integers(1, 4000), max_size=3)))
    names = ("day", "night")[: draw(st.integers(1, 2))]
    periods = tuple(
        Period(name, (*(Block(draw(price), upto) for upto in bounds), Block(draw(price))))
        for name in names
    )
    night = (Band("night", tuple(range(7)), 0, 720), Band("day", tuple(range(7)), 720, 1440))
    shares = st.lists(st.integers(0, 300_000), max_size=2)
    on = st.sampled_from([("energy",), ("energy", "standing"), ("energy", "fuel")])
    return Prices(
        periods=periods,
        schedule=night if len(names) > 1 else (),
        blocks=BlockRule(
            count=draw(st.sampled_from(["all", "period"])),
            reset=draw(st.sampled_from(["month", "day"])),
        ),
        free=draw(st.none() | st.builds(FreeUnits, st.integers(1, 3000))),
        fixed=(
            Fixed("standing", draw(st.integers(0, 9_000_000)), skip_unused=draw(st.booleans())),
        ),
        levies=(Levy("fuel", per_unit_micro=draw(price)),),
        discounts=tuple(
            Discount(f"less{i}", rate, ("energy",)) for i, rate in enumerate(draw(shares))
        ),
        taxes=tuple(Tax(f"tax{i}", rate, draw(on)) for i, rate in enumerate(draw(shares))),
    )
