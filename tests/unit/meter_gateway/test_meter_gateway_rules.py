from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.breaker import Breaker, BreakerPolicy
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import (
    Desired,
    Finding,
    SwitchingPolicy,
    judge,
    must_write,
    pause_s,
)
from npms_meter_gateway.domain.relay import Seen

OFF = Desired("off", 17, "credit exhausted")
ON = Desired("on", 18, "topped up")
POLICY = SwitchingPolicy()


def seen(relay: Seen, power_w: int | None = None) -> MeterAnswer:
    return MeterAnswer.of(relay=relay, power_w=power_w)


def test_a_breaker_opens_once_and_closes_once() -> None:
    breaker = Breaker(BreakerPolicy(trip_after=2, first_pause_s=5, longest_pause_s=300))
    assert breaker.fail(0) is False
    assert breaker.allows(0)
    assert breaker.fail(1) is True
    assert not breaker.allows(5.9)
    assert breaker.allows(6)
    assert breaker.fail(6) is False
    assert not breaker.allows(15.9)
    assert breaker.allows(16)
    assert breaker.succeed() is True
    assert breaker.succeed() is False
    assert breaker.allows(0)


@given(st.integers(1, 200), st.floats(0, 1))
def test_pauses_grow_to_their_bound(failures: int, jitter: float) -> None:
    policy = BreakerPolicy(trip_after=1, first_pause_s=5, longest_pause_s=300)
    breaker, pauses = Breaker(policy), []
    for _ in range(failures):
        breaker.fail(100, jitter)
        pauses.append(breaker.closed_to - 100)
    assert pauses == sorted(pauses)
    assert 5 <= pauses[0] <= pauses[-1] <= 300 * 1.2


def test_what_is_seen_decides() -> None:
    assert judge(OFF, seen("off", 0), POLICY) == Finding("off", verified=True, in_place=True)
    assert judge(OFF, seen("off"), POLICY).in_place
    assert judge(OFF, seen("on", 900), POLICY) == Finding("on", verified=True, in_place=False)
    assert judge(ON, seen("on", 0), POLICY).in_place
    assert not judge(ON, seen("unknown", 0), POLICY).verified


def test_an_open_relay_with_power_is_not_believed() -> None:
    finding = judge(OFF, seen("off", 1200), POLICY)
    assert not finding.verified
    assert not finding.in_place
    assert "1200 W" in finding.detail


@given(
    st.sampled_from([ON, OFF]),
    st.sampled_from(["on", "off", "unknown"]),
    st.one_of(st.none(), st.integers(-5000, 20_000)),
    st.integers(0, 50),
)
def test_never_a_command_where_nothing_is_to_do_and_never_for_ever(
    desired: Desired, relay: str, power_w: int | None, attempts: int
) -> None:
    finding = judge(desired, seen(relay, power_w), POLICY)  # type: ignore[arg-type]
    writes = must_write(desired, finding, attempts, POLICY)
    if finding.in_place:
        assert finding.verified
        assert not writes
    if finding.state == desired.state and attempts >= POLICY.alarm_after:
        assert not writes
    if finding.verified:
        assert writes == (finding.state != desired.state)


@given(st.integers(1, 10_000))
def test_cool_downs_grow_to_their_bound(attempts: int) -> None:
    assert POLICY.first_pause_s <= pause_s(attempts, POLICY) <= POLICY.longest_pause_s
    assert pause_s(attempts, POLICY) <= pause_s(attempts + 1, POLICY)
