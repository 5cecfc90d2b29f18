from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from npms_notifier.domain.deliveries import LONGEST, Outcome, RetryPolicy, State, after_failure

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
POLICY = RetryPolicy(attempts=6, first=timedelta(seconds=5))


def test_waits_grow_fourfold_up_to_an_hour() -> None:
    waits = [POLICY.delay(n).total_seconds() for n in range(1, 8)]
    assert waits == [5, 20, 80, 320, 1280, 3600, 3600]


def test_a_refused_address_is_not_asked_again() -> None:
    assert after_failure(POLICY, attempts_made=1, permanent=True, at=NOW) == Outcome(State.FAILED)


@given(st.integers(1, 20), st.integers(1, 20))
def test_attempts_are_bounded(attempts: int, made: int) -> None:
    policy = RetryPolicy(attempts=attempts, first=timedelta(seconds=1))
    outcome = after_failure(policy, attempts_made=made, permanent=False, at=NOW)
    if made >= attempts:
        assert outcome == Outcome(State.FAILED)
    else:
        assert outcome.state is State.RETRYING
        assert outcome.due_at is not None
        assert NOW < outcome.due_at <= NOW + LONGEST
