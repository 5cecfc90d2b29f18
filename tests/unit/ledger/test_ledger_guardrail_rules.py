"""What the guardrail lets pass, and what keeps a supply on before what."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.strategies import NIGHT, NOON, UTC_ZONE

from npms_ledger.domain.decision import Reason, decide
from npms_ledger.domain.friendly import KindTimes
from npms_ledger.domain.guardrail import ALL, Guardrail, cuts_by_group
from npms_ledger.domain.policy import CreditPolicy, LoadLimit
from npms_ledger.domain.position import CutHold, Position

guardrails = st.builds(
    Guardrail,
    cuts=st.integers(0, 50),
    share_ppm=st.sampled_from([0, 1, 50_000, 333_333, 1_000_000]),
    min_group=st.integers(1, 60),
)


@given(guardrails, st.integers(1, 200), st.integers(0, 5_000), st.sampled_from([ALL, "town"]))
def test_a_group_is_counted_far_enough(guardrail, cuts, size, group):
    counted = min(size, guardrail.most_counted(cuts))
    said = guardrail.ground(group, cuts=cuts, size=counted)
    assert said == guardrail.ground(group, cuts=cuts, size=size)


@given(guardrails, st.integers(1, 200), st.integers(1, 5_000))
def test_what_passes_is_within_every_limit(guardrail, cuts, size):
    if guardrail.ground(ALL, cuts=cuts, size=size) is None:
        assert not guardrail.cuts or cuts <= guardrail.cuts
        if guardrail.share_ppm and size >= guardrail.min_group:
            assert cuts / size <= guardrail.share_ppm / 1_000_000 + 1e-9


def test_cuts_are_added_up_by_policy_and_of_all():
    groups = cuts_by_group({"a": 2, "b": 1}, {"a": 3}, {})
    assert groups == {ALL: 6, "a": 5, "b": 1}


LIMITING = CreditPolicy(load_limit=LoadLimit(500, 60))
OUT = Position(balance_micro=-5, was_in_credit=True, can_limit=True)
EVENING = datetime(2026, 3, 4, 19, tzinfo=UTC)


def judge(position: Position, policy: CreditPolicy = LIMITING, now: datetime = NOON):
    return decide(position, policy=policy, zone=UTC_ZONE, now=now)


def test_a_limit_lasts_its_time_and_then_the_cut_follows():
    limited = judge(OUT)
    assert (limited.reason, limited.position.limit_w) == (Reason.LOAD_LIMITED, 500)
    assert limited.position.limit_until == NOON + timedelta(hours=1)
    cut = judge(limited.position, now=NOON + timedelta(hours=1))
    assert (cut.position.supply_on, cut.reason) == (False, Reason.EXHAUSTED)
    assert (cut.position.limit_w, cut.position.limit_until) == (None, None)


def test_the_limit_comes_after_friendly_hours_and_outlasts_their_beginning():
    policy = replace(LIMITING, kind_times=KindTimes((NIGHT,), frozenset()))
    kept = judge(OUT, policy, EVENING)
    assert (kept.reason, kept.position.limit_w) == (Reason.FRIENDLY_HOURS, None)
    begun = judge(OUT, policy, EVENING - timedelta(minutes=90))
    during = judge(begun.position, policy, EVENING - timedelta(minutes=45))
    assert (during.reason, during.position.limit_w) == (Reason.LOAD_LIMITED, 500)
    after = judge(begun.position, policy, EVENING)
    assert (after.reason, after.position.limit_w) == (Reason.FRIENDLY_HOURS, 500)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"keep_on_until": NOON + timedelta(hours=1)}, Reason.KEPT_ON),
        ({"protected": True}, Reason.PROTECTED),
        ({"balance_micro": 1}, Reason.IN_CREDIT),
    ],
)
def test_a_held_cut_is_forgotten_once_something_else_keeps_the_supply(changes, reason):
    held = replace(OUT, can_limit=False, cut_hold=CutHold.WAITING)
    assert judge(held).reason is Reason.GUARDRAIL
    decision = judge(replace(held, **changes))
    assert (decision.reason, decision.position.cut_hold) == (reason, CutHold.NONE)


def test_approved_it_is_cut_and_rejected_it_is_kept_until_then():
    held = replace(OUT, can_limit=False)
    assert not judge(replace(held, cut_hold=CutHold.APPROVED)).position.supply_on
    until = NOON + timedelta(hours=24)
    rejected = judge(replace(held, cut_hold=CutHold.REJECTED, cut_held_until=until))
    assert (rejected.reason, rejected.decide_at) == (Reason.GUARDRAIL, until)
    assert rejected.events == ()
    assert not judge(rejected.position, now=until).position.supply_on
