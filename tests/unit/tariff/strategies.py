"""Plans, zones and readings for property tests."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from tests.unit.tariff.documents import documents

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import Calendar
from npms_tariff.domain.plan import Block, Fixed, Period, Prices
from npms_tariff.domain.state import Charge, RatingState
from npms_tariff.domain.tariff import Tariff

EVERY_DAY = tuple(range(7))
ZONES = [
    ZoneInfo(name)
    for name in ("Africa/Nairobi", "Europe/Berlin", "America/New_York", "Asia/Kathmandu",
                 "Australia/Lord_Howe", "America/Santiago", "UTC")
]  # fmt: skip
STARTS = [
    int(datetime(*day, tzinfo=UTC).timestamp())
    for day in ((2026, 1, 30), (2026, 3, 28, 20), (2026, 10, 24, 22), (2026, 11, 1, 3),
                (2026, 3, 8, 4), (2026, 4, 4, 12), (2026, 9, 5, 20), (2026, 10, 3, 10))
]  # fmt: skip
"""Shortly before months end or clocks change somewhere in ZONES."""

FLAT = Prices(periods=(Period("all", (Block(24_500_000),)),))
STANDING = Fixed("standing", 5_000_000)


def blocks(*prices_micro: int, upto_wh: tuple[int, ...] = ()) -> tuple[Block, ...]:
    """Blocks with those upper bounds, the last one open."""
    bounds = (*upto_wh, None)
    return tuple(Block(price, bound) for price, bound in zip(prices_micro, bounds, strict=True))


def prices() -> st.SearchStrategy[Prices]:
    """Any valid prices."""
    return documents().map(lambda document: PlanDocument.model_validate(document).prices())


@st.composite
def readings(draw: st.DrawFn) -> list[tuple[int, int]]:
    """(seconds, register) from an opening reading on: short and long gaps, standstill and leaps."""
    at_s, register_wh = draw(st.sampled_from(STARTS)) + draw(st.integers(0, 90_000)), 1000
    made = [(at_s, register_wh)]
    for _ in range(draw(st.integers(1, 8))):
        at_s += draw(st.one_of(st.integers(1, 1200), st.integers(1, 60_000)))
        register_wh += draw(st.one_of(st.just(0), st.integers(1, 60), st.integers(1, 5000)))
        made.append((at_s, register_wh))
    return made


def versions_of(*dated: tuple[int, Prices]) -> tuple[Tariff, ...]:
    return tuple(Tariff(i + 1, at_s, made) for i, (at_s, made) in enumerate(dated))


def opened(calendar: Calendar, at_s: int, register_wh: int) -> RatingState:
    return RatingState(
        7,
        account_id=9,
        currency="KES",
        calendar=calendar,
        register_wh=register_wh,
        read_at_s=at_s,
        connected_w=4600,
    )


def sum_lines(charges: list[Charge]) -> dict[tuple[str, str, int], int]:
    """Micro-units by (component, period, block), as the slow rater gives them."""
    total: dict[tuple[str, str, int], int] = {}
    for charge in charges:
        for component, period, block, _, micro in charge[-1]:
            key = (component, period, block)
            total[key] = total.get(key, 0) + micro
    return {key: micro for key, micro in total.items() if micro}
