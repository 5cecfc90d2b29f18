"""The rules of slow polls: phases, stillness, clocks, what is new in a log."""

from datetime import UTC, date, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_meter_gateway.domain.new_log_entries import new_log_entries
from npms_meter_gateway.domain.phases import POWERS, VOLTAGES, checkable_kinds, phase_faults_of
from npms_meter_gateway.domain.records import LogEntry
from npms_meter_gateway.domain.stuck_register import STILL_LOOKS, RegisterWatch

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
PLACES = 5


def voltages(*volts: float) -> dict[str, Fraction]:
    return dict(zip(VOLTAGES, map(Fraction, volts), strict=False))


@pytest.mark.parametrize(
    ("values", "kinds"),
    [
        (voltages(230, 229, 231), set()),
        (voltages(0, 0, 0), set()),
        (voltages(230, 0), set()),
        (voltages(230, 100, 231), {"phase_loss"}),
        (voltages(290, 170, 230), {"neutral_missing"}),
        (voltages(230, 200, 240), {"voltage_imbalance"}),
        (voltages(63.5, 63.5, 63.5), set()),
    ],
)
def test_r16_voltages_tell_of_phases(values: dict[str, Fraction], kinds: set[str]) -> None:
    assert set(phase_faults_of(values)) == kinds
    assert kinds <= checkable_kinds(values)


def test_r16_power_back_on_one_phase_is_told_unless_the_home_feeds_in() -> None:
    powers = dict(zip(POWERS, map(Fraction, (900, -800, 700)), strict=True))
    assert set(phase_faults_of(powers)) == {"phase_reversed"}
    assert phase_faults_of({**powers, "energy_export_wh": Fraction(1000)}) == {}
    assert phase_faults_of({**powers, "power_l2_w": Fraction(-20)}) == {}
    assert checkable_kinds({**voltages(1, 2, 3), "power_l1_w": Fraction(1)}) == {
        "phase_loss", "neutral_missing", "voltage_imbalance",
    }  # fmt: skip


def stuck_after(looks: list[tuple[int, int]], resolution_wh: int = 1) -> bool:
    seen = RegisterWatch()
    for minute, (register_wh, power_w) in enumerate(looks):
        seen.observe(60.0 * minute, register_wh, power_w)
    return seen.is_stuck(resolution_wh)


def test_r15_only_a_register_that_should_have_moved_is_stuck() -> None:
    assert stuck_after([(5_000, 2_000)] * 5)
    assert not stuck_after([(5_000, 2_000)] * STILL_LOOKS), "too few looks after the first"
    assert not stuck_after([(5_000, 0)] * 500), "the relay is open, or nobody is at home"
    assert not stuck_after([(0, 2_000)] * 500), "it stands at zero"
    assert not stuck_after([(5_000, 2_000)] * 5, resolution_wh=100), "a coarse register moves late"
    assert not stuck_after([(5_000, 2_000), (5_000, 0)] * 50), "it flows now and then only"
    assert not stuck_after([(5_000, 5)] * 60), "5 Wh are less than ten steps"


@given(st.integers(1, 20_000), st.integers(1, 100), st.integers(2, 200))
def test_r15_a_register_that_counts_is_never_stuck(
    power_w: int, resolution_wh: int, looks: int
) -> None:
    """Counting whole steps only, as registers do."""
    counted = [power_w * minute // 60 // resolution_wh * resolution_wh for minute in range(looks)]
    assert not stuck_after([(10_000 + wh, power_w) for wh in counted], resolution_wh)


@pytest.mark.parametrize("drift_s", [400, -86_400, -826_000_000, 61, 60, -60, 0])
def test_r13_a_clock_is_set_once_a_day_when_it_is_off(drift_s: int) -> None:
    policy = ClockPolicy(UTC, limit_s=60)
    shown = (NOW + timedelta(seconds=drift_s)).replace(tzinfo=None)
    assert policy.drift_s(shown, NOW) == drift_s
    assert policy.instant(shown, drift_s) == NOW
    off = abs(drift_s) > 60

    def judged(set_on: date | None, *, is_settable: bool = True) -> str:
        return policy.judge(drift_s, is_settable=is_settable, set_on=set_on, now=NOW)

    assert judged(None) == ("set" if off else "right")
    assert judged(date(2026, 3, 1)) == ("set" if off else "right")
    assert judged(date(2026, 3, 2)) == ("wrong" if off else "right")
    assert judged(None, is_settable=False) == ("wrong" if off else "right")


def entry(number: int) -> LogEntry:
    return LogEntry(mark=f"{number:04x}", at=None, code=1, detail=number, kinds=("power_up",))


@given(st.lists(st.integers(0, 8), min_size=1, max_size=12))
def test_r17_whatever_comes_between_two_readings_none_is_told_twice_or_lost_unseen(
    comings: list[int],
) -> None:
    """A log of five places, read again and again while entries come."""
    made, told, head = 0, list[int](), ""
    lost = 0
    for coming in comings:
        made += coming
        kept = [entry(number) for number in range(made, max(made - PLACES, 0), -1)]
        read, ended = list[LogEntry](), len(kept) < PLACES
        for each in kept:
            read.append(each)
            if each.mark == head:
                ended = False
                break
        news = new_log_entries(read, head, ended=ended)
        assert not news.emptied
        numbers = [each.detail for each in news.entries]
        missing = numbers[0] - (told[-1] if told else 0) - 1 if numbers else 0
        assert not missing or news.overflowed
        lost += missing
        told += numbers
        head = news.head
    assert told == sorted(set(told))
    assert len(told) + lost == made


def test_r17_a_log_that_was_emptied_is_told() -> None:
    assert new_log_entries([entry(1)], None, ended=False).entries == ()
    assert new_log_entries([], "0003", ended=True).emptied
    news = new_log_entries([entry(9)], "0003", ended=True)
    assert news.emptied
    assert [each.detail for each in news.entries] == [9]
