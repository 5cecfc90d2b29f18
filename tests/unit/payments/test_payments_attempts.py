from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from npms_payments.domain.attempts import Limit

START = datetime(2026, 11, 23, tzinfo=UTC)
FIVE = Limit(failures=5, window=timedelta(minutes=15))
NONE = timedelta(0)


def test_the_sixth_attempt_waits_until_the_first_failure_is_old() -> None:
    failed: list[datetime] = []
    for minute in range(5):
        at = START + timedelta(minutes=minute)
        assert FIVE.wait(failed, at=at) == NONE
        failed = FIVE.after_failure(failed, at=at)
    assert FIVE.wait(failed, at=START + timedelta(minutes=5)) == timedelta(minutes=10)
    assert FIVE.wait(failed, at=START + timedelta(minutes=15)) == NONE


@given(st.lists(st.integers(0, 3_600), max_size=60))
def test_never_more_failures_in_any_window_than_the_limit(offsets: list[int]) -> None:
    remembered: list[datetime] = []
    happened: list[datetime] = []
    for offset in sorted(offsets):
        at = START + timedelta(seconds=offset)
        if FIVE.wait(remembered, at=at) == NONE:
            remembered = FIVE.after_failure(remembered, at=at)
            happened.append(at)
    for first in happened:
        inside = [at for at in happened if first <= at < first + FIVE.window]
        assert len(inside) <= FIVE.failures


@given(st.lists(st.integers(0, 900), min_size=5, max_size=5))
def test_the_wait_told_is_exact(offsets: list[int]) -> None:
    failed = [START + timedelta(seconds=offset) for offset in sorted(offsets)]
    wait = FIVE.wait(failed, at=failed[-1])
    assert FIVE.wait(failed, at=failed[-1] + wait) == NONE
    if wait:
        assert FIVE.wait(failed, at=failed[-1] + wait - timedelta(microseconds=1)) > NONE
