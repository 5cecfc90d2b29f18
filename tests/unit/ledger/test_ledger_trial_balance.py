"""After any sequence of what can happen to money the books balance, and every bucket is its sum."""

from collections import Counter
from datetime import timedelta
from zoneinfo import ZoneInfo

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from tests.unit.ledger.strategies import NOON, acceptable, is_of_paid_money, policies

from npms_ledger.domain import moves
from npms_ledger.domain.account import Account
from npms_ledger.domain.chargeback import grace_until
from npms_ledger.domain.journal import SystemAccount, clearing
from npms_ledger.domain.position import Bucket, EmergencyState, Position
from npms_ledger.handlers import books

amounts = st.integers(1, 900)
which = st.integers(0, 2)
CLEARING = clearing("voucher")


class TrialBalance(RuleBasedStateMachine):
    """Three accounts; `sums` is what was posted to each of their buckets, `system` to the rest."""

    def __init__(self):
        super().__init__()
        self.now = NOON
        self.sums, self.seqs, self.paid = Counter(), Counter(), Counter()
        self.system = Counter()
        self.accounts = []

    @precondition(lambda self: len(self.accounts) < 3)
    @rule(policy=policies(), debt=st.integers(0, 500), credit=st.integers(0, 500))
    def open(self, policy, debt, credit):
        account = Account(
            account_id=len(self.accounts) + 1,
            currency="KES",
            zone=ZoneInfo("UTC"),
            policy=policy,
            position=Position(opened_at=self.now),
        )
        account.open_with(debt_micro=debt, credit_micro=credit)
        account.judge(self.now)
        self.accounts.append(account)
        self.book("opening", account)

    @precondition(lambda self: self.accounts)
    @rule(n=which, amount=st.integers(-200, 900))
    def charge(self, n, amount):
        """Also of who has left: the final charge comes late."""
        account = self.pick(n)
        seq, after = account.charge(amount, self.now)
        self.post(account, seq, Bucket.BALANCE, -amount, after)
        self.system[SystemAccount.ENERGY_REVENUE.value] += amount
        self.book("charges", account)

    @precondition(lambda self: self.accounts)
    @rule(n=which, amount=amounts)
    def top_up(self, n, amount):
        account = self.pick(n)
        account.top_up(amount, self.now)
        self.book("top_up", account, {CLEARING: -amount})

    @precondition(lambda self: self.accounts)
    @rule(n=which, amount=amounts, chargeback=st.booleans())
    def reverse(self, n, amount, chargeback):
        account = self.pick(n)
        if chargeback:
            policy = account.policy_at(self.now)
            until = grace_until(account.position, policy, amount_micro=amount, now=self.now)
            if until is not None:
                account.keep_on(until, self.now)
                account.reverse(amount, self.now)
                assert account.position.supply_on, "never cut at once"
                self.book("reversal", account, {CLEARING: amount})
                return
        account.reverse(amount, self.now)
        self.book("reversal", account, {CLEARING: amount})

    @precondition(lambda self: self.accounts)
    @rule(n=which, amount=st.integers(-900, 900).filter(bool))
    def fix(self, n, amount):
        account = self.pick(n)
        account.move(moves.fix(account.position, amount), self.now)
        self.book("money_fix", account, {SystemAccount.MONEY_FIXES.value: -amount})

    @precondition(lambda self: len(self.accounts) > 1)
    @rule(n=which, m=which, amount=amounts)
    def transfer(self, n, m, amount):
        source, target = self.pick(n), self.pick(m)
        policy, paid = source.policy_at(self.now), self.paid[source.account_id]
        movable = moves.movable_micro(source.position, policy, paid_micro=paid)
        part = min(amount, movable)
        if source is target or not part:
            return
        source.move(moves.send(source.position, part), self.now)
        target.move(moves.receive(target.position, part), self.now)
        self.book("transfer", source, target)
        assert source.position.balance_micro >= max(0, policy.floor_micro)

    @precondition(lambda self: self.accounts)
    @rule(n=which)
    def borrow(self, n):
        account = self.pick(n)
        offered = account.position.emergency is EmergencyState.SELECTABLE
        if offered and acceptable(account.position, account.policy_at(self.now)):
            account.accept_emergency(self.now)
            self.book("emergency_credit", account)

    @precondition(lambda self: self.accounts)
    @rule(n=which)
    def leave(self, n):
        """Move out, refund what remains, pay it."""
        account = self.pick(n)
        account.close(self.now)
        self.book("closing", account)
        paid = self.paid[account.account_id]
        payable = moves.refundable_micro(account.position, paid_micro=paid)
        if not payable:
            return
        given = moves.own_micro(account.position) - payable
        account.move(moves.fix(account.position, -given), self.now)
        account.move(moves.clear(account.position), self.now)
        assert account.position.net_micro == account.position.balance_micro == 0
        sides = {SystemAccount.REFUNDS_PAYABLE: payable, SystemAccount.MONEY_FIXES: given}
        self.book("refund", account, {name.value: amount for name, amount in sides.items()})
        self.system[SystemAccount.REFUNDS_PAYABLE.value] -= payable
        self.system[SystemAccount.REFUNDS_PAID.value] += payable

    @rule(hours=st.integers(1, 60))
    def wait(self, hours):
        self.now += timedelta(hours=hours)
        for account in self.accounts:
            account.judge(self.now)
            self.book("emergency_credit", account)

    def pick(self, n):
        return self.accounts[n % len(self.accounts)]

    def book(self, kind, *accounts_and_counterparts):
        """Write the journal, as the ledger would; it refuses what does not balance."""
        accounts = [one for one in accounts_and_counterparts if isinstance(one, Account)]
        counterparts = [one for one in accounts_and_counterparts if isinstance(one, dict)]
        journal = books.journal_of(
            accounts, kind=kind, now=self.now, counterparts=dict(*counterparts)
        )
        for name, _, amount in journal.system:
            self.system[name] += amount
        for account in accounts:
            for seq, entry in account.written:
                self.post(account, seq, entry.bucket, entry.amount_micro, entry.after_micro)
                if is_of_paid_money(entry):
                    self.paid[account.account_id] += entry.amount_micro
            account.written.clear()
            account.events.clear()

    def post(self, account, seq, bucket, amount, after):
        self.seqs[account.account_id, seq] += 1
        self.sums[account.account_id, bucket] += amount
        assert self.sums[account.account_id, bucket] == after or bucket is Bucket.BALANCE

    @invariant()
    def the_trial_balance_is_zero(self):
        assert sum(self.sums.values()) + sum(self.system.values()) == 0

    @invariant()
    def every_bucket_is_the_sum_of_its_postings(self):
        for account in self.accounts:
            for bucket in (Bucket.BALANCE, Bucket.DEBT, Bucket.EMERGENCY):
                value = account.position.value_of(bucket)
                assert self.sums[account.account_id, bucket] == value

    @invariant()
    def every_number_was_used_once(self):
        for account in self.accounts:
            used = {seq for number, seq in self.seqs if number == account.account_id}
            assert used == set(range(1, account.seq + 1))
        assert set(self.seqs.values()) <= {1}


TestO2TrialBalance = TrialBalance.TestCase
