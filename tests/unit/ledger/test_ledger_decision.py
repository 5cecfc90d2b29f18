"""What a position means: the supply, its reason, what is told, when to look again."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.strategies import DAY, NOON, UTC_ZONE, decided_positions

from npms_ledger.domain.decision import Decision, Reason, decide
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.errors import EmergencyNotOffered, EmergencyTooSmall
from npms_ledger.domain.events import (
    CreditExhausted,
    CreditRestored,
    EmergencyAccepted,
    EmergencyOffered,
    ThresholdCrossed,
)
from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms, Threshold
from npms_ledger.domain.position import EmergencyState, Position, Told, charge
from npms_ledger.domain.waterfall import top_up

NAIROBI = ZoneInfo("Africa/Nairobi")
POLICY = CreditPolicy(
    thresholds=(Threshold(50, 60), Threshold(20, 25)),
    emergency=EmergencyTerms(limit_micro=30, offer_at_micro=10, reoffer_above_micro=40),
    debt_share_ppm=250_000,
)
EVENING = datetime(2026, 3, 4, 19, tzinfo=UTC)
FRIENDLY = CreditPolicy(
    kind_times=KindTimes((FriendlyHours(frozenset(range(7)), time(18), time(8)),))
)


def judge(position: Position, *, policy: CreditPolicy = POLICY, now: datetime = NOON) -> Decision:
    return decide(position, policy=policy, zone=UTC_ZONE, now=now)


def spend(
    position: Position, amount: int, *, policy: CreditPolicy = POLICY, now: datetime = NOON
) -> Decision:
    return judge(charge(position, amount).position, policy=policy, now=now)


def pay(
    position: Position, amount: int, *, policy: CreditPolicy = POLICY, now: datetime = NOON
) -> Decision:
    posted = top_up(position, policy=policy, amount_micro=amount, day=DAY)
    return judge(posted.position, policy=policy, now=now)


def kinds(decision: Decision) -> list[type]:
    return [type(event) for event in decision.events]


class TestOpening:
    def test_without_credit_the_supply_is_off_and_nothing_is_told(self):
        decision = judge(Position())
        assert (decision.position.supply_on, decision.reason) == (False, Reason.NO_CREDIT)
        assert decision.events == ()

    def test_a_protected_account_starts_on(self):
        decision = judge(Position(protected=True))
        assert (decision.position.supply_on, decision.reason) == (True, Reason.PROTECTED)

    def test_in_friendly_hours_it_stays_on_until_they_end(self):
        decision = judge(Position(), policy=FRIENDLY, now=EVENING)
        assert decision.reason is Reason.FRIENDLY_HOURS
        assert decision.decide_at is not None
        later = judge(decision.position, policy=FRIENDLY, now=decision.decide_at)
        assert (later.position.supply_on, later.reason) == (False, Reason.NO_CREDIT)

    def test_a_floor_below_zero_is_credit_from_the_start(self):
        assert judge(Position(), policy=CreditPolicy(floor_micro=-300)).position.supply_on

    def test_the_first_credit_switches_on_and_arms_what_lies_below_it(self):
        decision = pay(judge(Position()).position, 30)
        assert decision.reason is Reason.IN_CREDIT
        assert decision.events == ()
        assert decision.wake_micro == 20


class TestWarnings:
    def test_each_threshold_once_per_descent(self):
        position = pay(judge(Position()).position, 100).position
        first = spend(position, 51)
        assert kinds(first) == [ThresholdCrossed]
        assert spend(first.position, 1).events == ()
        assert kinds(spend(first.position, 30)) == [ThresholdCrossed]

    def test_a_fall_past_several_tells_the_lowest(self):
        (event,) = spend(pay(judge(Position()).position, 100).position, 85).events
        assert event == ThresholdCrossed(20, 15, 10)

    def test_the_amount_takes_the_balance_to_where_the_warning_is_armed(self):
        low = spend(pay(judge(Position()).position, 100).position, 51)
        (event,) = low.events
        assert isinstance(event, ThresholdCrossed)
        armed = pay(low.position, event.amount_to_avoid_cut_micro)
        assert armed.wake_micro == 50
        assert pay(low.position, event.amount_to_avoid_cut_micro - 1).wake_micro == 20

    def test_hysteresis_keeps_a_wavering_balance_quiet(self):
        low = spend(pay(judge(Position()).position, 100).position, 51)
        wavering = spend(pay(low.position, 5).position, 5)
        assert wavering.events == ()

    def test_running_out_at_once_is_told_instead_of_a_warning(self):
        poor = replace(POLICY, emergency=None)
        decision = spend(pay(judge(Position()).position, 100).position, 100, policy=poor)
        assert kinds(decision) == [CreditExhausted]

    def test_after_a_cut_a_small_top_up_is_warned_of_again(self):
        poor = replace(POLICY, emergency=None)
        out = spend(pay(judge(Position()).position, 100).position, 100, policy=poor)
        back = pay(out.position, 22, policy=poor)
        assert kinds(back) == [CreditRestored]
        assert kinds(spend(back.position, 2, policy=poor)) == [ThresholdCrossed]


class TestEmergency:
    @pytest.fixture
    def offered(self) -> Position:
        decision = spend(pay(judge(Position()).position, 100).position, 91)
        assert EmergencyOffered(30, 9) in decision.events
        return decision.position

    def test_not_accepted_it_does_not_lend(self, offered):
        decision = spend(offered, 9)
        assert (decision.position.supply_on, decision.reason) == (False, Reason.EXHAUSTED)
        assert kinds(decision) == [CreditExhausted]

    def test_it_lends_what_the_balance_lacks(self, offered):
        decision = spend(judge(accept(offered, POLICY)).position, 15)
        assert decision.position.balance_micro == 0
        assert decision.position.emergency_used_micro == 6
        assert decision.position.emergency is EmergencyState.IN_USE
        assert decision.reason is Reason.EMERGENCY_CREDIT

    def test_accepted_in_the_dark_it_brings_the_supply_back(self, offered):
        dark = spend(offered, 14).position
        decision = judge(accept(dark, POLICY))
        assert decision.position.supply_on
        assert decision.position.emergency_used_micro == 5

    def test_one_that_would_not_bring_it_back_is_refused(self, offered):
        with pytest.raises(EmergencyTooSmall):
            accept(spend(offered, 39).position, POLICY)

    def test_it_cannot_be_accepted_twice(self, offered):
        with pytest.raises(EmergencyNotOffered):
            accept(accept(offered, POLICY), POLICY)

    def test_used_up_the_supply_goes_off(self, offered):
        decision = spend(judge(accept(offered, POLICY)).position, 39)
        assert decision.position.emergency is EmergencyState.EXHAUSTED
        assert kinds(decision) == [CreditExhausted]
        assert decision.events[0].amount_to_clear_micro == 31

    def test_what_exceeds_the_limit_makes_the_balance_go_below(self, offered):
        decision = spend(judge(accept(offered, POLICY)).position, 50)
        assert decision.position.emergency_used_micro == 30
        assert decision.position.balance_micro == -11

    def test_part_repaid_an_exhausted_one_lends_no_more(self, offered):
        out = spend(judge(accept(offered, POLICY)).position, 39)
        partly = pay(out.position, 20)
        assert not partly.position.supply_on
        assert partly.events == ()

    def test_repaid_it_is_not_offered_again_until_well_above(self, offered):
        out = spend(judge(accept(offered, POLICY)).position, 39)
        low = pay(out.position, 50)
        assert kinds(low) == [CreditRestored]
        assert EmergencyOffered not in kinds(spend(low.position, 15))
        high = pay(low.position, 21)
        assert high.position.emergency is EmergencyState.ENABLED
        assert EmergencyOffered in kinds(spend(high.position, 31))

    def test_without_need_of_acceptance_it_is_granted(self):
        terms = EmergencyTerms(30, 10, 40, needs_acceptance=False)
        policy = replace(POLICY, emergency=terms)
        decision = spend(pay(judge(Position()).position, 100).position, 95, policy=policy)
        assert EmergencyAccepted(30, 5) in decision.events
        assert decision.position.emergency is EmergencyState.INVOKED


class TestHolds:
    @pytest.fixture
    def held(self) -> Decision:
        position = pay(Position(), 10, policy=FRIENDLY, now=EVENING).position
        return spend(position, 15, policy=FRIENDLY, now=EVENING)

    def test_in_friendly_hours_it_stays_on_and_says_until_when(self, held):
        assert (held.position.supply_on, held.reason) == (True, Reason.FRIENDLY_HOURS)
        (event,) = held.events
        assert event.keeps_supply_until == datetime(2026, 3, 5, 8, tzinfo=UTC)
        assert event.keeps_supply_reason == "friendly_hours"
        assert event.amount_to_clear_micro == 6

    def test_a_reminder_comes_before_the_end_with_the_amount_by_then(self, held):
        assert held.decide_at == datetime(2026, 3, 5, 7, tzinfo=UTC)
        used = spend(held.position, 4, policy=FRIENDLY, now=EVENING)
        assert used.events == ()
        reminded = judge(used.position, policy=FRIENDLY, now=held.decide_at)
        (event,) = reminded.events
        assert event.amount_to_clear_micro == 10
        assert reminded.decide_at == datetime(2026, 3, 5, 8, tzinfo=UTC)

    def test_at_the_end_it_is_cut_and_told(self, held):
        end = datetime(2026, 3, 5, 8, tzinfo=UTC)
        decision = judge(replace(held.position, told=Told.REMINDED), policy=FRIENDLY, now=end)
        assert (decision.position.supply_on, decision.reason) == (False, Reason.EXHAUSTED)
        (event,) = decision.events
        assert event.keeps_supply_until is None

    def test_a_supply_that_is_off_is_not_switched_on_by_the_evening(self):
        off = spend(pay(Position(), 10, policy=FRIENDLY).position, 15, policy=FRIENDLY)
        assert not off.position.supply_on
        assert not judge(off.position, policy=FRIENDLY, now=EVENING).position.supply_on

    def test_the_protected_are_never_cut_and_told_why(self):
        position = pay(Position(protected=True), 10).position
        decision = spend(position, 15)
        assert (decision.position.supply_on, decision.reason) == (True, Reason.PROTECTED)
        assert decision.events[-1].keeps_supply_reason == "protected"

    def test_the_account_s_own_zone_counts(self):
        """19:00 in UTC is 22:00 in Nairobi; the evening ends at 05:00 UTC."""
        decision = decide(Position(), policy=FRIENDLY, zone=NAIROBI, now=EVENING)
        assert decision.decide_at == datetime(2026, 3, 5, 5, tzinfo=UTC)


def test_a_closed_account_is_off():
    decision = judge(Position(balance_micro=100, closed=True, protected=True))
    assert (decision.position.supply_on, decision.reason) == (False, Reason.ACCOUNT_CLOSED)


@given(decided_positions(), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_deciding_again_changes_and_tells_nothing(case, later):
    position, policy = case
    once = decide(position, policy=policy, zone=UTC_ZONE, now=NOON + later)
    again = decide(once.position, policy=policy, zone=UTC_ZONE, now=NOON + later)
    assert again == replace(once, events=(), entries=())


@given(decided_positions(), st.integers(0, 3_000))
def test_a_top_up_never_switches_off(case, amount_micro):
    position, policy = case
    before = decide(position, policy=policy, zone=UTC_ZONE, now=NOON)
    after = pay(before.position, amount_micro, policy=policy)
    assert after.position.supply_on >= before.position.supply_on


@given(decided_positions(), st.timedeltas(timedelta(0), timedelta(days=3)))
def test_time_changes_nothing_before_decide_at(case, later):
    position, policy = case
    now = decide(position, policy=policy, zone=UTC_ZONE, now=NOON)
    if now.decide_at is not None and NOON + later >= now.decide_at:
        return
    then = decide(now.position, policy=policy, zone=UTC_ZONE, now=NOON + later)
    assert (then.position, then.events) == (now.position, ())
