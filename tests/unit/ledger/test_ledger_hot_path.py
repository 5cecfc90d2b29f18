"""The short way of many charges is the long way of each."""

from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.strategies import NOON, decided_positions, policies

from npms_ledger.domain.account import Account
from npms_ledger.domain.documents import from_document, to_document
from npms_ledger.domain.errors import UnbalancedJournal
from npms_ledger.domain.journal import SystemEntry, balanced, clearing
from npms_ledger.domain.position import Bucket, Entry, PostingKind
from npms_ledger.handlers.charge_columns import COLUMNS, gather, pick
from npms_ledger.handlers.post_charges import run_down

charges = st.lists(st.tuples(st.integers(1, 4), st.integers(-50, 900)), max_size=30)


@given(st.lists(decided_positions(), min_size=4, max_size=4), charges)
def test_what_is_not_woken_needed_no_decision(cases, items):
    accounts = {}
    for number, (position, policy) in enumerate(cases, start=1):
        account = Account(
            account_id=number,
            currency="KES",
            zone=ZoneInfo("UTC"),
            policy=policy,
            position=position,
            seq=7,
        )
        account.judge(NOON)
        account.events.clear()
        account.written.clear()
        accounts[number] = account
    tallies = {n: [a.position.balance_micro, a.seq, a.wake_micro] for n, a in accounts.items()}
    ids, amounts = [n for n, _ in items], [amount for _, amount in items]
    seqs, afters, woken = run_down(ids, amounts, tallies)
    for index, (number, amount) in enumerate(items):
        at = accounts[number].charge(amount, NOON)
        if number not in woken:
            assert at == (seqs[index], afters[index])
    for number in set(accounts) - woken:
        account = accounts[number]
        assert (account.events, account.written) == ([], [])
        assert tallies[number] == [
            account.position.balance_micro,
            account.seq,
            account.wake_micro,
        ]


@given(policies())
def test_a_policy_survives_its_document(policy):
    assert from_document(to_document(policy)) == policy


def test_columns_are_put_together_and_picked_apart():
    one = {name: [1, 2] for name in COLUMNS}
    two = {name: [3] for name in COLUMNS}
    together = gather([one, two])
    assert together["lines"] == [1, 2, 3]
    assert pick(together, [0, 2])["lines"] == [1, 3]


def test_a_journal_sums_to_zero_or_is_refused():
    entry = Entry(Bucket.BALANCE, PostingKind.TOP_UP, 10, 10)
    assert balanced("KES", [entry], {clearing("voucher"): -10}) == [
        SystemEntry("clearing:voucher", "KES", -10)
    ]
    with pytest.raises(UnbalancedJournal) as refused:
        balanced("KES", [entry], {clearing("voucher"): -9})
    assert (refused.value.currency, refused.value.sum_micro) == ("KES", 1)
