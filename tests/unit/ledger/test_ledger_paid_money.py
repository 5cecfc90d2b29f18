"""Whatever is bought, used, lent, given and moved, no more comes out than was paid in."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st
from tests.unit.ledger.strategies import NOON, UTC_ZONE, is_of_paid_money

from npms_ledger.domain import moves
from npms_ledger.domain.account import Account
from npms_ledger.domain.errors import LedgerError
from npms_ledger.domain.policy import CreditPolicy, EmergencyTerms
from npms_ledger.domain.position import Position

FLOORS = (-300, 0, 40)
amounts = st.integers(1, 400)
steps = st.lists(
    st.tuples(
        st.sampled_from(["pay", "use", "fix", "borrow", "send", "refund", "reverse"]),
        st.integers(0, 1),
        amounts,
    ),
    max_size=25,
)


def opened(floor_micro: int) -> Account:
    terms = EmergencyTerms(100, offer_at_micro=50, reoffer_above_micro=60)
    policy = CreditPolicy(floor_micro=floor_micro, emergency=terms, debt_share_ppm=250_000)
    account = Account(1, "KES", UTC_ZONE, policy, Position(), policy_code="p")
    account.judge(NOON)
    return account


def paid_in(account: Account) -> int:
    return sum(entry.amount_micro for _, entry in account.written if is_of_paid_money(entry))


@dataclass
class Town:
    accounts: tuple[Account, Account]
    came: int = 0
    gone: int = 0
    payments: list[tuple[Account, int]] = field(default_factory=list)

    def take(self, what: str, number: int, amount: int) -> None:
        getattr(self, what)(self.accounts[number], self.accounts[1 - number], amount)

    def pay(self, account: Account, _: Account, amount: int) -> None:
        account.top_up(amount, NOON)
        self.came += amount
        self.payments.append((account, amount))

    def use(self, account: Account, _: Account, amount: int) -> None:
        account.charge(amount, NOON)

    def fix(self, account: Account, _: Account, amount: int) -> None:
        account.move(moves.fix(account.position, amount), NOON)

    def borrow(self, account: Account, *_: object) -> None:
        try:
            account.accept_emergency(NOON)
        except LedgerError:
            return

    def send(self, source: Account, target: Account, amount: int) -> None:
        policy = source.policy_at(NOON)
        most = moves.movable_micro(source.position, policy, paid_micro=paid_in(source))
        if most:
            part = min(amount, most)
            source.move(moves.send(source.position, part), NOON)
            target.move(moves.receive(target.position, part), NOON)
            assert moves.own_micro(source.position) >= 0
            assert source.position.balance_micro >= max(0, policy.floor_micro)

    def refund(self, account: Account, *_: object) -> None:
        payable = moves.refundable_micro(account.position, paid_micro=paid_in(account))
        if payable:
            given = moves.own_micro(account.position) - payable
            account.move(moves.fix(account.position, -given), NOON)
            account.move(moves.clear(account.position), NOON)
            assert moves.own_micro(account.position) == 0
            self.gone += payable

    def reverse(self, *_: object) -> None:
        if self.payments:
            account, amount = self.payments.pop()
            account.reverse(amount, NOON)


@given(st.tuples(st.sampled_from(FLOORS), st.sampled_from(FLOORS)), steps)
def test_refunds_are_never_more_than_payments(
    floors: tuple[int, int], taken: list[tuple[str, int, int]]
) -> None:
    town = Town((opened(floors[0]), opened(floors[1])))
    for what, number, amount in taken:
        if what != "reverse":
            town.take(what, number, amount)
        assert town.gone <= town.came
    assert sum(map(paid_in, town.accounts)) == town.came - town.gone


@given(st.sampled_from(FLOORS), steps, amounts)
def test_what_is_left_of_a_payment_is_never_more_than_it_gave_nor_than_is_there(
    floor: int, taken: list[tuple[str, int, int]], gave: int
) -> None:
    town = Town((opened(floor), opened(0)))
    for what, number, amount in taken:
        town.take(what, number, amount)
    for account in town.accounts:
        position = account.position
        left = moves.unspent_micro(position, given_micro=gave, paid_micro=paid_in(account))
        assert 0 <= left <= gave
        assert not left or left <= position.balance_micro
