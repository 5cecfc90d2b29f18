"""Any story of an account keeps the books, and the fast way tells what the slow way tells."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.ledger.strategies import NOON, UTC_ZONE, acceptable, policies

from npms_ledger.domain.decision import Decision, decide
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.events import CreditEvent
from npms_ledger.domain.position import (
    Bucket,
    EmergencyState,
    Position,
    Posted,
    charge,
    open_with_debt,
)
from npms_ledger.domain.waterfall import has_credit, reverse, top_up

amounts = st.integers(1, 900)


class Story(RuleBasedStateMachine):
    """`position` is decided after every charge, `lazy` only when the wake level or time asks."""

    @initialize(policy=policies(), debt_micro=st.integers(0, 2_000), protected=st.booleans())
    def open(self, policy, debt_micro, protected):
        self.policy, self.now = policy, NOON
        self.sums = dict.fromkeys(Bucket, 0)
        self.expected_net = -debt_micro
        self.told: list[CreditEvent] = []
        self.lazily_told: list[CreditEvent] = []
        posted = open_with_debt(Position(protected=protected), debt_micro)
        self._add(posted)
        self.lazy = posted.position
        self._decide(posted.position)
        self._decide_lazily()

    @rule(amount_micro=amounts)
    def use(self, amount_micro):
        posted = charge(self.position, amount_micro)
        self._add(posted)
        self.expected_net -= amount_micro
        self._decide(posted.position)
        self.lazy = charge(self.lazy, amount_micro).position
        if self.lazy.balance_micro <= self.wake_micro:
            self._decide_lazily()

    @rule(amount_micro=amounts)
    def pay(self, amount_micro):
        posted = top_up(self.position, policy=self.policy, amount_micro=amount_micro)
        self._add(posted)
        self.expected_net += amount_micro
        self._both(posted)

    @rule(amount_micro=amounts)
    def take_back(self, amount_micro):
        posted = reverse(self.position, amount_micro)
        self._add(posted)
        self.expected_net -= amount_micro
        self._both(posted)

    @precondition(lambda self: self.position.emergency is EmergencyState.SELECTABLE)
    @rule()
    def borrow(self):
        if acceptable(self.position, self.policy):
            accepted = accept(self.position, self.policy)
            self.lazy = accepted
            self._decide(accepted)
            self._decide_lazily()

    @rule(hours=st.integers(1, 30))
    def wait(self, hours):
        self.now += timedelta(hours=hours)
        self._decide(self.position)
        if self.decide_at is not None and self.now >= self.decide_at:
            self._decide_lazily()

    @rule(protected=st.booleans())
    def protect(self, protected):
        self.lazy = replace(self.lazy, protected=protected)
        self._decide(replace(self.position, protected=protected))
        self._decide_lazily()

    def _both(self, posted: Posted) -> None:
        self._decide(posted.position)
        self.lazy = posted.position
        self._decide_lazily()

    def _add(self, posted: Posted) -> None:
        for entry in posted.entries:
            self.sums[entry.bucket] += entry.amount_micro
            assert entry.after_micro == self.sums[entry.bucket]

    def _judge(self, position: Position) -> Decision:
        return decide(position, policy=self.policy, zone=UTC_ZONE, now=self.now)

    def _decide(self, position: Position) -> None:
        decision = self._judge(position)
        assert sum(entry.amount_micro for entry in decision.entries) == 0
        self._add(Posted(decision.position, decision.entries))
        self.position = decision.position
        self.told += decision.events

    def _decide_lazily(self) -> None:
        decision = self._judge(self.lazy)
        self.lazy, self.wake_micro = decision.position, decision.wake_micro
        self.decide_at = decision.decide_at
        self.lazily_told += decision.events

    @invariant()
    def every_micro_is_in_one_bucket(self):
        assert self.position.net_micro == self.expected_net
        for bucket, total in self.sums.items():
            assert self.position.value_of(bucket) == total

    @invariant()
    def nothing_owed_is_negative(self):
        assert self.position.debt_micro >= 0
        assert self.position.emergency_used_micro >= 0
        terms = self.policy.emergency
        assert self.position.emergency_used_micro <= (terms.limit_micro if terms else 0)

    @invariant()
    def below_the_floor_nothing_is_left_to_draw(self):
        if self.position.balance_micro < self.policy.floor_micro:
            assert not has_credit(self.position, self.policy)
        if self.position.emergency_used_micro:
            assert self.position.balance_micro <= self.policy.floor_micro

    @invariant()
    def credit_means_supply(self):
        if has_credit(self.position, self.policy) or self.position.protected:
            assert self.position.supply_on

    @invariant()
    def skipping_decisions_above_the_wake_level_misses_nothing(self):
        assert self.lazy == self.position
        assert self.lazily_told == self.told


Story.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStory = Story.TestCase
