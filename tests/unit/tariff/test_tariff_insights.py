"""Insights follow their rules, and are withheld where there is too little to say."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from npms_tariff.domain.insights import (
    DAYS_NEEDED,
    TREND_DAYS,
    Change,
    Day,
    base_load_w,
    peak_hours,
    trend,
)
from npms_tariff.handlers.keep_usage import month_of

FIRST = date(2026, 9, 1)
wh = st.integers(0, 10**7)


def days(*used: int) -> list[Day]:
    return [Day(FIRST + timedelta(days=n), one, one * 20) for n, one in enumerate(used)]


@given(st.lists(wh, max_size=2 * TREND_DAYS - 1))
def test_a_trend_needs_eight_weeks(used):
    assert trend(days(*used)) is None


@given(st.lists(wh, max_size=9), st.lists(wh, min_size=56, max_size=56))
def test_a_trend_compares_the_last_four_weeks_with_the_four_before(older, used):
    change = trend(days(*older, *used))
    assert change == Change(sum(used[TREND_DAYS:]), sum(used[:TREND_DAYS]))


def test_a_change_is_in_percent_of_what_was_before():
    assert Change(110, 100).percent == 10.0
    assert Change(1, 3).percent == -66.7
    assert Change(5, 0).percent is None


@given(st.lists(st.lists(wh, min_size=23, max_size=25), min_size=DAYS_NEEDED, max_size=28))
def test_the_base_load_is_drawn_in_all_hours_of_half_the_days(hours):
    base = base_load_w({FIRST + timedelta(days=n): day for n, day in enumerate(hours)})
    at_least = sum(min(day) >= base for day in hours)
    assert at_least * 2 >= len(hours)
    assert base <= max(map(min, hours))


@given(st.dictionaries(st.integers(0, 23), st.lists(wh, min_size=8, max_size=8), min_size=1))
def test_peak_hours_are_those_in_which_most_is_used(by_hour):
    found = peak_hours(by_hour, 8)
    sums = {hour: sum(used) for hour, used in by_hour.items()}
    if not any(sums.values()):
        assert found is None
        return
    chosen = [sums[peak.hour] for peak in found]
    assert chosen == sorted(sums.values(), reverse=True)[: len(chosen)]
    assert len(chosen) == min(3, sum(map(bool, sums.values())))
    assert sum(peak.percent for peak in found) <= 100.2


def test_less_than_a_week_says_nothing():
    few = {FIRST + timedelta(days=n): [5] * 24 for n in range(DAYS_NEEDED - 1)}
    assert base_load_w(few) is None
    assert peak_hours({7: [5] * 6}, 6) is None


@given(st.dates(date(2000, 1, 1), date(2100, 1, 1)), st.integers(-600, 600))
def test_months_are_counted_over_years(day, months):
    there = month_of(day, months=months)
    assert there.day == 1
    assert (there.year - day.year) * 12 + there.month - day.month == months
