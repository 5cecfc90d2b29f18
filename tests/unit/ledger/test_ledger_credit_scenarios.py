"""The acceptance scenarios of credit and debt, with their numbers."""

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest
from tests.unit.ledger.strategies import DAY, NOON, UTC_ZONE

from npms_ledger.domain.account import Account
from npms_ledger.domain.credits import credits_of
from npms_ledger.domain.debt import Debt, DebtKind, DebtTerms
from npms_ledger.domain.decision import Reason, decide
from npms_ledger.domain.errors import EmergencyNotOffered
from npms_ledger.domain.events import CreditExhausted, CreditRestored, ThresholdCrossed
from npms_ledger.domain.forecast import Use, clears_at
from npms_ledger.domain.friendly import FriendlyHours, KindTimes
from npms_ledger.domain.grant import ChargeKind, GrantKind, GrantTerms
from npms_ledger.domain.periods import Period, PerPeriod
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms, Grace, Threshold
from npms_ledger.domain.position import Bucket, EmergencyState, Position, PostingKind
from npms_ledger.domain.vend import PlanCharges, Vend, VendCharge
from npms_ledger.domain.waterfall import amount_to_clear, top_up

M = 1_000_000
WEEK = timedelta(days=7)
EMERGENCY = EmergencyTerms(limit_micro=20 * M, offer_at_micro=10 * M, reoffer_above_micro=15 * M)
EVENINGS = KindTimes((FriendlyHours(frozenset(range(7)), time(18), time(10)),))


def account(policy: CreditPolicy, **position: object) -> Account:
    made = Account(
        account_id=1,
        currency="KES",
        zone=UTC_ZONE,
        policy=policy,
        position=Position(**position),  # type: ignore[arg-type]
    )
    made.judge(NOON)
    made.written.clear()
    made.events.clear()
    return made


def weekly(amount_micro: int, **flags: bool) -> DebtTerms:
    rate = PerPeriod(amount_micro, Period.WEEK)
    return DebtTerms("arrears", DebtKind.TIME, rate=rate, **flags)


class TestC1:
    @pytest.fixture
    def owing(self) -> tuple[Position, CreditPolicy]:
        """25 % of top-ups to debt, 15 a week of which 10 are used; 8 below the floor; 5 lent."""
        arrears = DebtTerms("arrears", share_ppm=250_000, cap=PerPeriod(15 * M, Period.WEEK))
        monday = DAY - timedelta(days=DAY.weekday())
        debt = Debt(1, 100 * M, arrears, taken_micro=10 * M, taken_since=monday)
        position = Position(
            balance_micro=-8 * M,
            debt_micro=100 * M,
            debts=(debt,),
            emergency_used_micro=5 * M,
            emergency=EmergencyState.EXHAUSTED,
            was_in_credit=True,
        )
        return position, CreditPolicy(emergency=EmergencyTerms(5 * M, 2 * M, 15 * M))

    def test_c1_a_top_up_of_100_goes_5_8_5_82(self, owing):
        position, policy = owing
        posted = top_up(position, policy=policy, amount_micro=100 * M, day=DAY)
        assert [(e.bucket, e.amount_micro) for e in posted.entries] == [
            (Bucket.DEBT, 5 * M),
            (Bucket.BALANCE, 8 * M),
            (Bucket.EMERGENCY, 5 * M),
            (Bucket.BALANCE, 82 * M),
        ]
        assert posted.entries[1].label == "accumulated"
        assert posted.position.balance_micro == 82 * M
        assert posted.position.debt_micro == 95 * M

    def test_c1_in_the_next_week_the_cap_begins_anew(self, owing):
        position, policy = owing
        next_week = DAY + WEEK
        posted = top_up(position, policy=policy, amount_micro=100 * M, day=next_week)
        assert posted.parts(Bucket.DEBT) == 15 * M

    def test_c1_the_order_is_the_policy_s(self, owing):
        position, policy = owing
        vend, debt, accumulated, emergency, balance = policy.waterfall
        other = replace(policy, waterfall=(vend, emergency, accumulated, debt, balance))
        posted = top_up(position, policy=other, amount_micro=100 * M, day=DAY)
        assert [e.amount_micro for e in posted.entries] == [5 * M, 8 * M, 5 * M, 82 * M]
        assert [e.bucket for e in posted.entries][:3] == ["emergency", "balance", "debt"]

    def test_c1_the_policy_s_cap_holds_over_all_debts(self, owing):
        position, policy = owing
        capped = replace(policy, debt_cap=PerPeriod(3 * M, Period.DAY))
        first = top_up(position, policy=capped, amount_micro=100 * M, day=DAY)
        assert first.parts(Bucket.DEBT) == 3 * M
        again = top_up(first.position, policy=capped, amount_micro=100 * M, day=DAY)
        assert again.parts(Bucket.DEBT) == 0
        tomorrow = DAY + timedelta(days=1)
        third = top_up(again.position, policy=capped, amount_micro=100 * M, day=tomorrow)
        assert third.parts(Bucket.DEBT) == 2 * M


def test_several_debts_take_their_shares_by_priority():
    """30 % of 100 is 30; then 50 % of what is left, 35; at least 4 of each top-up to the third."""
    debts = (
        Debt(1, 1000 * M, DebtTerms("second", priority=2, share_ppm=500_000)),
        Debt(2, 1000 * M, DebtTerms("first", priority=1, share_ppm=300_000)),
        Debt(3, 1000 * M, DebtTerms("third", priority=3, share_ppm=0, minimum_micro=4 * M)),
    )
    position = Position(debt_micro=3000 * M, debts=debts)
    posted = top_up(position, policy=CreditPolicy(), amount_micro=100 * M, day=DAY)
    assert [(e.item, e.amount_micro) for e in posted.entries] == [
        (2, 30 * M),
        (1, 35 * M),
        (3, 4 * M),
        (None, 31 * M),
    ]


def test_c2_emergency_credit_is_offered_once_accepted_once_repaid_first():
    policy = CreditPolicy(emergency=EMERGENCY)
    mine = account(policy, balance_micro=50 * M)
    mine.charge(39 * M, NOON)
    with pytest.raises(EmergencyNotOffered):
        mine.accept_emergency(NOON)
    mine.charge(1 * M, NOON)
    assert mine.position.emergency is EmergencyState.SELECTABLE
    mine.accept_emergency(NOON)
    with pytest.raises(EmergencyNotOffered):
        mine.accept_emergency(NOON)
    mine.charge(16 * M, NOON)
    assert (mine.position.balance_micro, mine.position.emergency_used_micro) == (0, 6 * M)
    posted = mine.top_up(21 * M, NOON)
    assert [e.bucket for e in posted.entries] == ["emergency", "balance"]
    mine.charge(6 * M, NOON)
    assert mine.position.emergency is EmergencyState.INVOKED, "not above 15: not offered again"
    mine.top_up(7 * M, NOON)
    assert mine.position.emergency is EmergencyState.ENABLED
    mine.charge(6 * M, NOON)
    assert mine.position.emergency is EmergencyState.SELECTABLE


class TestC3:
    POLICY = CreditPolicy(kind_times=EVENINGS)
    SEVEN = datetime(2026, 3, 4, 19, tzinfo=UTC)
    END = datetime(2026, 3, 5, 10, tzinfo=UTC)

    @pytest.fixture
    def evening(self) -> Account:
        mine = account(self.POLICY, balance_micro=10 * M)
        mine.charge(12 * M, self.SEVEN)
        return mine

    def test_c3_out_of_credit_at_19_00_stays_on_and_use_accrues(self, evening):
        assert (evening.position.supply_on, evening.reason) == (True, Reason.FRIENDLY_HOURS)
        evening.charge(3 * M, self.SEVEN + timedelta(hours=1))
        assert evening.position.balance_micro == -5 * M
        assert evening.position.supply_on

    def test_c3_before_the_end_the_warning_names_the_exact_amount(self, evening):
        evening.charge(3 * M, self.SEVEN + timedelta(hours=1))
        evening.events.clear()
        assert evening.decide_at == self.END - timedelta(hours=1)
        evening.judge(evening.decide_at)
        (warning,) = evening.events
        assert isinstance(warning, CreditExhausted)
        assert warning.amount_to_clear_micro == 5 * M + 1
        assert warning.keeps_supply_until == self.END

    @pytest.mark.parametrize(("amount_micro", "on"), [(5 * M, False), (5 * M + 1, True)])
    def test_c3_at_the_end_it_is_cut_only_if_still_below(self, evening, amount_micro, on):
        evening.charge(3 * M, self.SEVEN + timedelta(hours=1))
        evening.top_up(amount_micro, self.SEVEN + timedelta(hours=2))
        evening.judge(self.END)
        assert evening.position.supply_on is on

    def test_c3_the_estimate_says_what_the_end_will_ask_for(self, evening):
        """6 in 24 hours is 3.75 in the 15 hours to the end; 2 more of debt come due at midnight."""
        evening.add_debt(weekly(2 * M), number=1, amount_micro=9 * M, now=NOON - WEEK)
        evening.position = replace(
            evening.position,
            debts=(replace(evening.position.debts[0], next_at=datetime(2026, 3, 5, tzinfo=UTC)),),
        )
        used = Use(6 * M, timedelta(hours=24))
        assert used.basis() == "use as on average over the last 24 h"
        amount = clears_at(
            evening.position,
            policy=self.POLICY,
            zone=UTC_ZONE,
            now=self.SEVEN,
            until=self.END,
            use=used,
        )
        assert amount == 2 * M + 3_750_000 + 2 * M + 1


@pytest.mark.parametrize("floor", [0, -300])
def test_c4_the_cut_comes_at_the_floor(floor):
    policy = CreditPolicy(floor_micro=floor * M)
    mine = account(policy, balance_micro=10 * M)
    mine.charge((10 - floor) * M - 1, NOON)
    assert (mine.position.supply_on, mine.reason) == (True, Reason.IN_CREDIT)
    mine.charge(1, NOON)
    assert (mine.position.supply_on, mine.reason) == (False, Reason.EXHAUSTED)
    assert mine.position.balance_micro == floor * M


class TestC5:
    POLICY = CreditPolicy(grace=Grace(days=30, floor_micro=-300 * M))

    def test_c5_during_the_grace_the_other_floor_holds_and_then_the_policy_s(self):
        mine = account(self.POLICY, balance_micro=10 * M, opened_at=NOON)
        mine.charge(100 * M, NOON)
        assert (mine.position.supply_on, mine.reason) == (True, Reason.IN_CREDIT)
        end = NOON + timedelta(days=30)
        assert mine.decide_at == end
        mine.judge(end - timedelta(seconds=1))
        assert mine.position.supply_on
        mine.judge(end)
        assert (mine.position.supply_on, mine.reason) == (False, Reason.EXHAUSTED)
        (told,) = [event for event in mine.events if isinstance(event, CreditExhausted)]
        assert told.amount_to_clear_micro == 90 * M + 1

    def test_c5_opening_credit_and_debt_come_before_the_first_decision(self):
        mine = Account(
            account_id=1,
            currency="KES",
            zone=UTC_ZONE,
            policy=CreditPolicy(),
            position=Position(opened_at=NOON),
        )
        mine.open_with(debt_micro=20 * M, credit_micro=7 * M)
        mine.judge(NOON)
        assert (mine.position.supply_on, mine.reason) == (True, Reason.IN_CREDIT)
        assert [entry.kind for _, entry in mine.written] == [PostingKind.OPENING] * 2
        assert mine.counterparts == {"opening_debt": 20 * M, "opening_credit": -7 * M}


class TestC7:
    def test_c7_weekly_recovery_stops_exactly_at_zero(self):
        mine = account(CreditPolicy(), balance_micro=100 * M)
        mine.add_debt(weekly(4 * M), number=1, amount_micro=10 * M, now=NOON)
        mine.judge(NOON)
        taken = []
        while mine.decide_at is not None:
            at = mine.decide_at
            assert at.time() == time(0), "at local midnight"
            mine.written.clear()
            mine.judge(at - timedelta(seconds=1))
            assert mine.written == [], "not before its time"
            mine.judge(at)
            taken += [e.amount_micro for _, e in mine.written if e.bucket is Bucket.DEBT]
        assert taken == [4 * M, 4 * M, 2 * M]
        assert (mine.position.debt_micro, mine.position.balance_micro) == (0, 90 * M)

    def test_c7_weeks_that_were_missed_are_made_up_one_by_one(self):
        mine = account(CreditPolicy(), balance_micro=100 * M)
        mine.add_debt(weekly(4 * M), number=1, amount_micro=10 * M, now=NOON)
        mine.written.clear()
        mine.judge(NOON + 2 * WEEK)
        kinds = {entry.kind for _, entry in mine.written}
        assert (mine.position.debt_micro, kinds) == (2 * M, {PostingKind.DEBT_CHARGE})

    @pytest.mark.parametrize(("suspended", "debt"), [(False, 6 * M), (True, 10 * M)])
    def test_c7_on_emergency_credit_the_flag_suspends_it(self, suspended, debt):
        policy = CreditPolicy(emergency=replace(EMERGENCY, needs_acceptance=False))
        mine = account(policy, balance_micro=20 * M)
        terms = weekly(4 * M, suspend_in_emergency=suspended)
        mine.add_debt(terms, number=1, amount_micro=10 * M, now=NOON)
        mine.charge(23 * M, NOON)
        assert mine.reason is Reason.EMERGENCY_CREDIT
        mine.judge(NOON + WEEK)
        assert mine.position.debt_micro == debt
        assert mine.position.emergency_used_micro == 13 * M - debt

    @pytest.mark.parametrize(("suspended", "debt"), [(False, 6 * M), (True, 10 * M)])
    def test_c7_without_supply_the_flag_suspends_it(self, suspended, debt):
        mine = account(CreditPolicy(), balance_micro=20 * M)
        terms = weekly(4 * M, suspend_when_off=suspended)
        mine.add_debt(terms, number=1, amount_micro=10 * M, now=NOON)
        mine.charge(20 * M, NOON)
        mine.judge(NOON + WEEK)
        assert mine.position.debt_micro == debt


class TestFirstVend:
    CHARGES = (VendCharge("capacity", 20 * M, 2 * M), VendCharge("service", 5 * M))
    VEND = Vend(plans=(PlanCharges("household", DAY, CHARGES),))

    def test_the_first_top_up_of_each_month_pays_them_once(self):
        mine = account(CreditPolicy(), vend=self.VEND)
        assert amount_to_clear(mine.position, mine.policy, DAY) == 25 * M + 1
        first = mine.top_up(100 * M, NOON)
        assert first.of_kind(PostingKind.VEND_CHARGE) == -25 * M
        assert mine.position.balance_micro == 75 * M
        assert mine.counterparts == {"energy_revenue": 23 * M, "tax_payable": 2 * M}
        assert mine.top_up(100 * M, NOON).of_kind(PostingKind.VEND_CHARGE) == 0
        april = datetime(2026, 4, 1, tzinfo=UTC)
        before = mine.top_up(M, april - timedelta(seconds=1))
        assert before.of_kind(PostingKind.VEND_CHARGE) == 0
        assert mine.top_up(100 * M, april).of_kind(PostingKind.VEND_CHARGE) == -25 * M

    def test_a_small_top_up_pays_a_part_and_the_next_the_rest(self):
        mine = account(CreditPolicy(), vend=self.VEND)
        first = mine.top_up(15 * M, NOON)
        assert first.position.balance_micro == 0
        second = mine.top_up(15 * M, NOON)
        assert second.of_kind(PostingKind.VEND_CHARGE) == -10 * M
        assert mine.counterparts == {"energy_revenue": 23 * M, "tax_payable": 2 * M}


class TestGrants:
    FREE = GrantTerms("free units", amount_micro=30 * M, monthly=True, rollover_max_micro=10 * M)
    APRIL = datetime(2026, 4, 1, tzinfo=UTC)

    def test_a_charge_is_taken_from_the_balance_and_drawn_from_the_grant(self):
        mine = account(CreditPolicy(), balance_micro=50 * M)
        mine.grant(self.FREE, number=1, ends_at=None, now=NOON)
        mine.written.clear()
        assert mine.charge(8 * M, NOON) == (2, 42 * M)
        assert [(seq, e.bucket, e.amount_micro) for seq, e in mine.written] == [
            (3, Bucket.GRANT, -8 * M),
            (4, Bucket.BALANCE, 8 * M),
        ]
        assert mine.position.grant_micro == 22 * M

    def test_it_carries_supply_without_any_balance_and_then_it_is_out(self):
        mine = account(CreditPolicy())
        mine.grant(self.FREE, number=1, ends_at=None, now=NOON)
        assert (mine.position.supply_on, mine.reason) == (True, Reason.GRANTED_CREDIT)
        mine.charge(29 * M, NOON)
        assert mine.position.balance_micro == 0
        assert mine.position.supply_on
        mine.charge(2 * M, NOON)
        assert (mine.position.supply_on, mine.reason) == (False, Reason.EXHAUSTED)
        assert mine.position.balance_micro == -M

    def test_a_grant_after_the_balance_waits_until_that_is_at_its_floor(self):
        mine = account(CreditPolicy(), balance_micro=10 * M)
        mine.grant(replace(self.FREE, priority=20), number=1, ends_at=None, now=NOON)
        mine.charge(8 * M, NOON)
        assert mine.position.grant_micro == 30 * M
        mine.charge(8 * M, NOON)
        assert (mine.position.balance_micro, mine.position.grant_micro) == (0, 24 * M)
        assert mine.reason is Reason.GRANTED_CREDIT

    def test_what_may_not_draw_does_not(self):
        only_debt = replace(self.FREE, draws_on=frozenset({ChargeKind.DEBT}))
        mine = account(CreditPolicy(), balance_micro=10 * M)
        mine.grant(only_debt, number=1, ends_at=None, now=NOON)
        mine.add_debt(weekly(4 * M), number=1, amount_micro=10 * M, now=NOON)
        mine.charge(8 * M, NOON)
        assert mine.position.grant_micro == 30 * M
        mine.judge(NOON + WEEK)
        assert (mine.position.balance_micro, mine.position.grant_micro) == (2 * M, 26 * M)

    @pytest.mark.parametrize(("used", "left"), [(5, 40), (25, 35), (30, 30)])
    def test_a_month_is_granted_anew_and_a_part_rolls_over(self, used, left):
        mine = account(CreditPolicy(), balance_micro=50 * M)
        mine.grant(self.FREE, number=1, ends_at=None, now=NOON)
        mine.charge(used * M, NOON)
        assert mine.decide_at == self.APRIL
        mine.judge(self.APRIL - timedelta(seconds=1))
        assert mine.position.grant_micro == (30 - used) * M
        mine.judge(self.APRIL)
        assert mine.position.grant_micro == left * M

    def test_expiry_is_an_entry_at_the_exact_time(self):
        mine = account(CreditPolicy(), balance_micro=50 * M)
        ends_at = NOON + timedelta(hours=5)
        promotion = GrantTerms("promotion", amount_micro=30 * M)
        mine.grant(promotion, number=1, ends_at=ends_at, now=NOON)
        mine.charge(8 * M, NOON)
        mine.written.clear()
        mine.judge(ends_at - timedelta(seconds=1))
        assert mine.written == []
        mine.charge(2 * M, ends_at)
        ((_, expired),) = mine.written
        assert (expired.kind, expired.amount_micro) == (PostingKind.GRANT_EXPIRED, -22 * M)
        assert mine.position.balance_micro == 48 * M
        assert mine.counterparts == {"grants": -30 * M + 22 * M}

    def test_a_time_credit_keeps_supply_on_until_its_time(self):
        mine = account(CreditPolicy(), balance_micro=5 * M)
        until = NOON + timedelta(hours=5)
        mine.grant(GrantTerms("support", GrantKind.TIME), number=1, ends_at=until, now=NOON)
        mine.charge(9 * M, NOON)
        assert (mine.position.supply_on, mine.reason) == (True, Reason.GRANTED_CREDIT)
        assert mine.decide_at == until
        mine.judge(until)
        assert (mine.position.supply_on, mine.reason) == (False, Reason.EXHAUSTED)

    def test_one_that_comes_after_the_cut_restores_and_says_so(self):
        mine = account(CreditPolicy(), balance_micro=5 * M)
        mine.charge(5 * M, NOON)
        mine.events.clear()
        mine.grant(self.FREE, number=1, ends_at=None, now=NOON)
        assert mine.position.supply_on
        assert mine.events == [CreditRestored(0)]

    def test_states_show_one_credit_in_use(self):
        policy = CreditPolicy(emergency=EMERGENCY)
        mine = account(policy, balance_micro=50 * M)
        mine.grant(self.FREE, number=1, ends_at=None, now=NOON)
        mine.grant(replace(self.FREE, priority=20), number=2, ends_at=None, now=NOON)

        def states() -> list[tuple[str, str]]:
            shown = credits_of(mine.position, mine.position.grants, policy)
            return [(credit.kind, credit.state.value) for credit in shown]

        assert states() == [
            ("grant", "in_use"),
            ("balance", "enabled"),
            ("grant", "enabled"),
            ("emergency", "enabled"),
        ]
        mine.charge(80 * M, NOON)
        assert [state for _, state in states()] == ["exhausted", "exhausted", "in_use", "enabled"]
        mine.charge(30 * M, NOON)
        mine.accept_emergency(NOON)
        mine.charge(M, NOON)
        assert [state for _, state in states()] == ["exhausted"] * 3 + ["in_use"]


def test_n1_each_threshold_fires_once_a_descent_and_a_recovery_arms_it_again():
    policy = CreditPolicy(thresholds=(Threshold(50 * M, 60 * M), Threshold(20 * M, 25 * M)))
    mine = account(policy, balance_micro=100 * M)

    def told(change: int) -> list[int]:
        mine.events.clear()
        if change < 0:
            mine.charge(-change * M, NOON)
        else:
            mine.top_up(change * M, NOON)
        return [e.threshold_micro // M for e in mine.events if isinstance(e, ThresholdCrossed)]

    assert told(-50) == [50]
    assert told(-1) == []
    assert told(+5) == []
    assert told(-5) == [], "below 60 it was not armed again"
    assert told(-29) == [20]
    assert told(+45) == []
    assert told(-16) == [50], "at 65 both were armed again"
    assert told(-30) == [20]


def test_a_reversal_s_rest_is_the_general_debt():
    mine = account(CreditPolicy(debt_share_ppm=500_000), balance_micro=30 * M)
    mine.add_debt(weekly(4 * M), number=1, amount_micro=10 * M, now=NOON)
    mine.reverse(40 * M, NOON)
    assert [(d.number, d.remaining_micro) for d in mine.position.debts] == [
        (1, 10 * M),
        (0, 10 * M),
    ]
    assert mine.top_up(6 * M, NOON).parts(Bucket.DEBT) == 3 * M


def test_a_closed_account_s_grants_expire():
    mine = account(CreditPolicy(), balance_micro=30 * M)
    mine.grant(TestGrants.FREE, number=1, ends_at=None, now=NOON)
    mine.close(NOON)
    assert mine.position.grant_micro == 0
    assert mine.counterparts == {"grants": 0}
    assert decide(mine.position, policy=mine.policy, zone=UTC_ZONE, now=NOON).decide_at is None
