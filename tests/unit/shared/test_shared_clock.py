from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from npms_shared.clock import ScaledClock, SystemClock, clock_from_environment

ANCHOR = datetime(2026, 3, 1, tzinfo=UTC)
START = datetime(2030, 1, 1, tzinfo=UTC)


def test_business_time_runs_faster_and_wall_time_does_not() -> None:
    clock = ScaledClock(anchor=ANCHOR, start=START, speed=600)
    with time_machine.travel(ANCHOR + timedelta(seconds=6), tick=False):
        assert clock.now() == START + timedelta(hours=1)
        assert clock.wall_now() == ANCHOR + timedelta(seconds=6)


def test_without_a_variable_time_is_the_machines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NPMS_CLOCK", raising=False)
    assert isinstance(clock_from_environment(), SystemClock)


def test_the_variable_sets_anchor_start_and_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    form = f"anchor={ANCHOR.isoformat()};start={START.isoformat()};speed=60"
    monkeypatch.setenv("NPMS_CLOCK", form)
    clock = clock_from_environment()
    assert isinstance(clock, ScaledClock)
    assert (clock.anchor, clock.start, clock.speed) == (ANCHOR, START, 60)


@pytest.mark.parametrize(
    "text", ["fast", "anchor=2026-01-01;start=2026-01-01T00:00:00+00:00;speed=2", "speed=2"]
)
def test_a_wrong_form_names_the_variable(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setenv("NPMS_CLOCK", text)
    with pytest.raises(ValueError, match="NPMS_CLOCK"):
        clock_from_environment()
