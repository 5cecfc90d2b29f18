"""Any story of an account keeps the books, and the fast way tells what the slow way tells."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.unit.ledger.strategies import (
    NOON,
    UTC_ZONE,
    acceptable,
    grant_terms,
    openings,
    policies,
    spent,
)

from npms_ledger.domain.debt import total_micro
from npms_ledger.domain.decision import Decision, decide
from npms_ledger.domain.emergency import accept
from npms_ledger.domain.events import CreditEvent
from npms_ledger.domain.grants import carry, give
from npms_ledger.domain.position import (
    Bucket,
    CutHold,
    EmergencyState,
    Position,
    Posted,
    PostingKind,
    charge,
)
from npms_ledger.domain.waterfall import amount_to_clear, has_credit, reverse, top_up

amounts = st.integers(1, 900)


class Story(RuleBasedStateMachine):
    """`position` is decided after every charge, `lazy` only when the wake level or time asks."""

    @initialize(policy=policies(), opened=openings())
    def open(self, policy, opened):
        self.policy, self.now = policy, NOON
        self.sums = {bucket: opened.value_of(bucket) for bucket in Bucket}
        self.expected_net = opened.net_micro
        self.granted = 0
        self.told: list[CreditEvent] = []
        self.lazily_told: list[CreditEvent] = []
        self.lazy = opened
        self._decide(opened)
        self._decide_lazily()

    @rule(amount_micro=amounts)
    def use(self, amount_micro):
        posted = spent(self.position, self.policy, amount_micro)
        self._add(posted)
        self.expected_net -= amount_micro
        self._decide(posted.position)
        self._use_lazily(amount_micro)

    def _use_lazily(self, amount_micro: int) -> None:
        """Only a woken account is looked at, and draws on its grants."""
        charged = charge(self.lazy, amount_micro).position
        if charged.balance_micro > self.wake_micro:
            self.lazy = charged
            return
        self.lazy = spent(self.lazy, self.policy, amount_micro).position
        self._decide_lazily()

    @rule(amount_micro=amounts)
    def pay(self, amount_micro):
        day = self.now.date()
        posted = top_up(self.position, policy=self.policy, amount_micro=amount_micro, day=day)
        self._add(posted)
        self.expected_net += amount_micro + posted.of_kind(PostingKind.VEND_CHARGE)
        self._both(posted)

    @precondition(lambda self: self.granted < 3)
    @rule(terms=grant_terms(), hours=st.integers(1, 900))
    def grant(self, terms, hours):
        self.granted += 1
        ends_at = self.now + timedelta(hours=hours)
        posted = give(
            self.position,
            terms,
            number=self.granted,
            ends_at=ends_at,
            now=self.now,
            zone=UTC_ZONE,
        )
        self._add(posted)
        self.expected_net += terms.amount_micro
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

    @rule(hours=st.integers(1, 30) | st.integers(31, 1000))
    def wait(self, hours):
        self.now += timedelta(hours=hours)
        self._decide(self.position)
        if self.decide_at is not None and self.now >= self.decide_at:
            self._decide_lazily()

    @rule(protected=st.booleans(), hours=st.none() | st.integers(1, 90))
    def protect(self, protected, hours):
        until = self.now + timedelta(hours=hours) if protected and hours else None
        self._set(protected=protected, protected_until=until)

    @rule(hours=st.none() | st.integers(1, 90))
    def keep_on(self, hours):
        self._set(keep_on_until=None if hours is None else self.now + timedelta(hours=hours))

    @precondition(lambda self: not self.position.supply_on)
    @rule()
    def hold_cut(self):
        """As the guardrail does: the supply stays on and the cut waits."""
        self._set(supply_on=True, cut_hold=CutHold.WAITING)

    @precondition(lambda self: self.position.cut_hold is CutHold.WAITING)
    @rule(approve=st.booleans(), hours=st.integers(1, 50))
    def look_at_cut(self, approve, hours):
        until = None if approve else self.now + timedelta(hours=hours)
        hold = CutHold.APPROVED if approve else CutHold.REJECTED
        self._set(cut_hold=hold, cut_held_until=until)

    def _set(self, **changes):
        self.lazy = replace(self.lazy, **changes)
        self._decide(replace(self.position, **changes))
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
        posted = Posted(decision.position, decision.entries)
        ours = posted.of_kind(PostingKind.GRANTED) + posted.of_kind(PostingKind.GRANT_EXPIRED)
        assert sum(entry.amount_micro for entry in decision.entries) == ours
        self.expected_net += ours
        self._add(posted)
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
        assert self.position.debt_micro == total_micro(self.position.debts)
        assert all(debt.remaining_micro >= 0 for debt in self.position.debts)
        assert all(grant.remaining_micro >= 0 for grant in self.position.grants)
        assert self.position.emergency_used_micro >= 0
        terms = self.policy.emergency
        assert self.position.emergency_used_micro <= (terms.limit_micro if terms else 0)

    @invariant()
    def below_the_floor_nothing_is_left_to_draw(self):
        if self.position.balance_micro < self.policy.floor_micro and not carry(self.position):
            assert not has_credit(self.position, self.policy)
        if self.position.emergency_used_micro:
            assert self.position.balance_micro <= self.policy.floor_micro

    @invariant()
    def credit_means_supply(self):
        position = self.position
        if has_credit(position, self.policy) or position.protected or position.keep_on_until:
            assert position.supply_on

    @invariant()
    def a_limit_is_for_who_is_on_without_credit(self):
        position = self.position
        if position.limit_w is not None:
            assert position.supply_on
            assert position.can_limit
            assert not has_credit(position, self.policy)
        assert (position.limit_w is None) == (position.limit_until is None)

    @invariant()
    def what_is_said_for_a_time_does_not_outlast_it(self):
        position = self.position
        for until in (position.keep_on_until, position.protected_until):
            assert until is None or until > self.now
        assert position.cut_hold is not CutHold.APPROVED

    @invariant()
    def amount_to_clear_brings_supply_back_and_one_micro_less_does_not(self):
        amount_micro = amount_to_clear(self.position, self.policy, self.now.date())
        assert (amount_micro == 0) == has_credit(self.position, self.policy)
        if amount_micro:
            assert has_credit(self._after(amount_micro), self.policy)
        if amount_micro > 1:
            assert not has_credit(self._after(amount_micro - 1), self.policy)

    def _after(self, amount_micro: int) -> Position:
        day = self.now.date()
        posted = top_up(self.position, policy=self.policy, amount_micro=amount_micro, day=day)
        return self._judge(posted.position).position

    @invariant()
    def skipping_decisions_above_the_wake_level_misses_nothing(self):
        assert self.lazy == self.position
        assert self.lazily_told == self.told


Story.TestCase.settings = settings(max_examples=150, stateful_step_count=40, deadline=None)
TestStory = Story.TestCase
