"""The forecast of days left: its rules, and that it beats the naive one on the seeded street."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_tariff.domain.forecast import (
    DAYS_USED,
    FARTHEST_DAYS,
    days_left,
    naive_profile,
    weekday_profile,
)
from npms_tools.backtest.loads import lively, street_homes
from npms_tools.backtest.measure import score

uses = st.lists(st.integers(0, 10**10), min_size=1, max_size=80)
weekdays = st.integers(0, 6)


@given(uses, weekdays)
def test_a_profile_lies_between_the_least_and_the_most_of_the_days_used(used, last):
    recent = used[-DAYS_USED:]
    for expected in weekday_profile(used, last):
        assert min(recent) * (1 - 1e-9) <= expected <= max(recent) * (1 + 1e-9)


@given(st.integers(1, 10**9), weekdays, st.integers(7, 70))
def test_days_all_alike_go_on_alike(amount, last, days):
    profile = weekday_profile([amount] * days, last)
    assert profile == pytest.approx((amount,) * 7)
    assert days_left(amount * 10, profile, weekday=3) == pytest.approx(10)


def test_weekends_that_differ_are_expected_to():
    used = [100 if day % 7 < 5 else 300 for day in range(56)]
    profile = weekday_profile(used, 6)
    assert max(profile[:5]) < 150 < 250 < min(profile[5:])
    assert days_left(500, profile, weekday=5) < days_left(500, profile, weekday=0)


def test_recent_weeks_count_more():
    rising = [100] * 28 + [200] * 28
    assert min(weekday_profile(rising, 6)) > 150


@given(uses.filter(any), weekdays, st.integers(1, 10**12), st.floats(0, 0.99))
def test_a_balance_lasts_until_what_is_expected_adds_up_to_it(used, weekday, balance, gone):
    profile = weekday_profile(used, 0)
    left = days_left(balance, profile, weekday=weekday, day_gone=gone)
    if left is None:
        assert sum(profile) / 7 * FARTHEST_DAYS < balance * 1.01
        return
    spent, at = 0.0, gone
    while at < gone + left - 1e-9:
        until = min(float(int(at) + 1), gone + left)
        spent += profile[(weekday + int(at)) % 7] * (until - at)
        at = until
    assert spent == pytest.approx(balance, rel=1e-6)


@given(uses, weekdays, st.integers(-100, 0))
def test_nothing_lasts_no_time(used, weekday, balance):
    assert days_left(balance, weekday_profile(used, 0), weekday=weekday) == 0


def test_who_uses_nothing_is_told_of_no_end():
    assert days_left(1, (0.0,) * 7, weekday=0) is None


def test_the_naive_forecast_repeats_the_last_day():
    assert naive_profile([1, 2, 3]) == (3.0,) * 7


def test_the_forecast_beats_the_naive_one_on_the_seeded_street():
    homes = street_homes(8, 150)
    plain, life = score(homes), score([lively(home) for home in homes])
    assert plain.homes == 8
    assert plain.forecasts == 8 * plain.days * 4 > 500
    assert plain.error < plain.naive_error / 2
    assert plain.error < 0.02
    assert life.error < life.naive_error / 2
