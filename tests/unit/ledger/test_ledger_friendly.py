"""Friendly hours and holidays follow the local clock, over midnight and clock changes."""

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_ledger.domain.friendly import FriendlyHours, Hold, HoldReason, KindTimes

NAIROBI = ZoneInfo("Africa/Nairobi")
BERLIN = ZoneInfo("Europe/Berlin")
WEEKDAYS = frozenset(range(5))
EVENINGS = KindTimes((FriendlyHours(WEEKDAYS, time(18), time(8)),))
CHRISTMAS = KindTimes(EVENINGS.friendly, frozenset({date(2026, 12, 25)}))


def at(zone: ZoneInfo, *parts: int) -> datetime:
    return datetime(*parts, tzinfo=zone).astimezone(UTC)


def test_an_evening_lasts_over_midnight():
    hold = EVENINGS.hold_at(at(NAIROBI, 2026, 3, 4, 19), NAIROBI)
    assert hold == Hold(HoldReason.FRIENDLY_HOURS, at(NAIROBI, 2026, 3, 5, 8))
    after_midnight = EVENINGS.hold_at(at(NAIROBI, 2026, 3, 5, 7, 59), NAIROBI)
    assert after_midnight == hold


@pytest.mark.parametrize("parts", [(2026, 3, 4, 12), (2026, 3, 5, 8), (2026, 3, 7, 19)])
def test_outside_nothing_holds(parts):
    assert EVENINGS.hold_at(at(NAIROBI, *parts), NAIROBI) is None


def test_a_holiday_joins_the_evenings_around_it():
    """Thursday evening, the holiday, its own evening: kept until Saturday morning."""
    until = at(NAIROBI, 2026, 12, 26, 8)
    evening = CHRISTMAS.hold_at(at(NAIROBI, 2026, 12, 24, 20), NAIROBI)
    assert evening == Hold(HoldReason.FRIENDLY_HOURS, until)
    assert CHRISTMAS.hold_at(at(NAIROBI, 2026, 12, 25, 10), NAIROBI) == Hold(
        HoldReason.HOLIDAY, until
    )


def test_equal_ends_make_a_whole_day():
    saturday = KindTimes((FriendlyHours(frozenset({5}), time(), time()),))
    hold = saturday.hold_at(at(NAIROBI, 2026, 3, 7, 3), NAIROBI)
    assert hold == Hold(HoldReason.FRIENDLY_HOURS, at(NAIROBI, 2026, 3, 8, 0))


def test_what_covers_everything_is_looked_at_again():
    always = KindTimes((FriendlyHours(frozenset(range(7)), time(), time()),))
    now = at(NAIROBI, 2026, 3, 7, 3)
    hold = always.hold_at(now, NAIROBI)
    assert hold is not None
    assert hold.until - now >= timedelta(days=14)


moments = st.integers(0, 2 * 366 * 24 * 60).map(
    lambda minutes: datetime(2026, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
)
hours = st.builds(
    FriendlyHours,
    st.frozensets(st.integers(0, 6), min_size=1, max_size=3),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
    st.times().map(lambda t: t.replace(second=0, microsecond=0)),
)


@given(moments, st.lists(hours, max_size=2), st.frozensets(st.dates(), max_size=1))
def test_a_hold_lies_ahead_and_nothing_holds_at_its_end(now, friendly, holidays):
    times = KindTimes(tuple(friendly), holidays)
    hold = times.hold_at(now, BERLIN)
    if hold is None:
        return
    assert hold.until > now
    if hold.until - now < timedelta(days=14):
        assert times.hold_at(hold.until, BERLIN) is None
