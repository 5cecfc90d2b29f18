"""Top-ups, reversals and their inverse conserve every micro-unit."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.strategies import DAY, NOON, UTC_ZONE, decided_positions, policies

from npms_ledger.domain.debt import total_micro
from npms_ledger.domain.decision import decide
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms
from npms_ledger.domain.position import Bucket, EmergencyState, Position, PostingKind
from npms_ledger.domain.waterfall import (
    amount_to_clear,
    has_credit,
    reverse,
    smallest_top_up,
    top_up,
)

amounts = st.integers(1, 10**9)


@given(decided_positions(), amounts)
def test_p11_the_parts_of_any_top_up_sum_to_it_exactly(case, amount_micro):
    """Charges, each debt, emergency credit, balance: nothing is lost by rounding."""
    position, policy = case
    posted = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY)
    charged = -posted.of_kind(PostingKind.VEND_CHARGE)
    parts = [charged, *(posted.parts(bucket) for bucket in Bucket)]
    assert sum(parts) == posted.of_kind(PostingKind.TOP_UP) == amount_micro
    assert min(parts) >= 0
    assert posted.position.net_micro == position.net_micro + amount_micro - charged
    assert posted.position.debt_micro == total_micro(posted.position.debts)
    assert min([0, *(debt.remaining_micro for debt in posted.position.debts)]) == 0
    assert posted.position.emergency_used_micro >= 0


@given(decided_positions(), st.lists(amounts, min_size=1, max_size=5))
def test_p11_taxes_of_paid_parts_sum_to_the_tax_of_the_charge(case, top_ups):
    position, policy = case
    dues = position.vend.due(DAY)
    entries = []
    for amount_micro in top_ups:
        posted = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY)
        position = posted.position
        entries += [e for e in posted.entries if e.kind is PostingKind.VEND_CHARGE]
    for due in dues:
        mine = [entry for entry in entries if entry.label == due.charge.name]
        paid = -sum(entry.amount_micro for entry in mine)
        assert paid <= due.charge.amount_micro
        if paid == due.charge.amount_micro:
            assert sum(entry.tax_micro for entry in mine) == due.charge.tax_micro


@given(decided_positions(), amounts)
def test_one_micro_more_never_leaves_less_for_the_balance(case, amount_micro):
    position, policy = case

    def reached(amount: int) -> int:
        posted = top_up(position, policy=policy, amount_micro=amount, day=DAY)
        return posted.position.balance_micro

    assert reached(amount_micro) <= reached(amount_micro + 1) <= reached(amount_micro) + 1


@given(decided_positions(), st.lists(amounts, min_size=1, max_size=6))
def test_caps_hold_over_all_top_ups_of_a_period(case, top_ups):
    position, policy = case
    before = position
    for amount_micro in top_ups:
        position = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY).position
    for debt, was in zip(position.debts, before.debts, strict=True):
        cap = debt.terms.cap
        if cap is not None and was.taken_micro == 0:
            assert was.remaining_micro - debt.remaining_micro <= cap.amount_micro
    if policy.debt_cap is not None and before.recovered_micro == 0:
        assert before.debt_micro - position.debt_micro <= policy.debt_cap.amount_micro


@given(decided_positions(), amounts)
def test_nothing_lifts_the_balance_above_its_floor_before_emergency_credit_is_repaid(
    case, amount_micro
):
    position, policy = case
    before = position.balance_micro
    posted = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY)
    if posted.position.balance_micro > max(before, policy.floor_micro):
        assert posted.position.emergency_used_micro == 0


@given(decided_positions(), amounts)
def test_a_reversal_takes_the_balance_first_and_leaves_the_rest_as_debt(case, amount_micro):
    position, _ = case
    posted = reverse(position, amount_micro)
    assert posted.position.net_micro == position.net_micro - amount_micro
    assert posted.position.balance_micro >= min(position.balance_micro, 0)
    if posted.position.debt_micro > position.debt_micro:
        assert posted.position.balance_micro <= 0


@given(decided_positions())
def test_c8_amount_to_clear_restores_supply_and_one_micro_less_does_not(case):
    position, policy = case
    amount_micro = amount_to_clear(position, policy, DAY)
    if amount_micro == 0:
        assert has_credit(position, policy)
        return
    assert _carried_after(position, policy, amount_micro)
    if amount_micro > 1:
        assert not _carried_after(position, policy, amount_micro - 1)


def _carried_after(position: Position, policy: CreditPolicy, amount_micro: int) -> bool:
    posted = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY)
    decision = decide(posted.position, policy=policy, zone=UTC_ZONE, now=NOON)
    return has_credit(decision.position, policy)


@given(decided_positions(), st.integers(-(10**7), 10**9))
def test_smallest_top_up_is_the_exact_inverse_of_the_waterfall(case, target):
    position, policy = case
    amount_micro = smallest_top_up(position, policy=policy, balance_micro=target, day=DAY)

    def reached(amount: int) -> int:
        return top_up(position, policy=policy, amount_micro=amount, day=DAY).position.balance_micro

    assert reached(amount_micro) >= target
    if amount_micro:
        assert reached(amount_micro - 1) < target


@given(policies(), st.integers(0, 10**9), st.lists(amounts, max_size=6))
def test_debt_recovery_stops_exactly_at_zero(policy, debt_micro, top_ups):
    policy, position = replace(policy, debt_cap=None), Position(debt_micro=debt_micro)
    for amount_micro in top_ups:
        before = position.debt_micro
        position = top_up(position, policy=policy, amount_micro=amount_micro, day=DAY).position
        share = amount_micro * policy.debt_share_ppm // 1_000_000
        assert position.debt_micro == max(0, before - share)


def test_a_top_up_runs_through_debt_then_emergency_credit_then_balance():
    policy = CreditPolicy(
        debt_share_ppm=250_000, emergency=EmergencyTerms(10_000_000, 0, 20_000_000)
    )
    position = Position(
        debt_micro=8_000_000, emergency_used_micro=5_000_000, emergency=EmergencyState.IN_USE
    )
    posted = top_up(position, policy=policy, amount_micro=100_000_000, day=DAY)
    assert [entry.bucket for entry in posted.entries] == ["debt", "emergency", "balance"]
    assert [entry.amount_micro for entry in posted.entries] == [8_000_000, 5_000_000, 87_000_000]
    assert [entry.after_micro for entry in posted.entries] == [0, 0, 87_000_000]


def test_the_whole_top_up_may_go_to_debt():
    policy = CreditPolicy(debt_share_ppm=1_000_000)
    position = Position(debt_micro=30, balance_micro=0)
    assert amount_to_clear(position, policy, DAY) == 31
