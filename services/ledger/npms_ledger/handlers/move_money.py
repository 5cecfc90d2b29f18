"""Moving money between accounts, and putting a balance right: each one journal, under locks."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain import moves
from npms_ledger.domain.account import Account
from npms_ledger.domain.journal import SystemAccount
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.errors import AccountIsClosed, AccountUnknown, CurrencyMismatch
from npms_ledger.handlers.money_errors import (
    NotEnoughCredit,
    NotMovable,
    PaymentUnknown,
    SameAccount,
)
from npms_ledger.storage import money_requests, payments

Moved = tuple[UUID, int]
"""(journal_id, micro-units that were moved)"""


async def take_open(
    conn: AsyncConnection, account_id: int, *, currency: str | None = None
) -> Account:
    """Locked. Raises AccountUnknown, AccountIsClosed, CurrencyMismatch."""
    account = await books.take(conn, account_id)
    _check(account, currency or account.currency)
    return account


async def take_pair(
    conn: AsyncConnection,
    from_id: int,
    to_id: int,
    *,
    currency: str | None = None,
    from_closed: bool = False,
) -> tuple[Account, Account]:
    """Both locked in the order of their ids; money may go `from_closed` ones where that is said.

    Raises SameAccount, AccountUnknown, AccountIsClosed, CurrencyMismatch.
    """
    if from_id == to_id:
        raise SameAccount(from_id)
    taken = await books.take_all(conn, [from_id, to_id])
    for account_id in (from_id, to_id):
        if account_id not in taken:
            raise AccountUnknown(account_id)
    for account in taken.values():
        may_be_closed = from_closed and account.account_id == from_id
        _check(account, currency or taken[from_id].currency, may_be_closed=may_be_closed)
    return taken[from_id], taken[to_id]


def _check(account: Account, currency: str, *, may_be_closed: bool = False) -> None:
    if account.position.closed and not may_be_closed:
        raise AccountIsClosed(account.account_id)
    if account.currency != currency:
        raise CurrencyMismatch("amount", currency, account.currency)


async def fix_balance(
    conn: AsyncConnection, account: Account, *, amount_micro: int, now: datetime
) -> Moved:
    account.move(moves.fix(account.position, amount_micro), now)
    journal_id = await books.put_back_one(
        conn,
        account,
        kind="money_fix",
        now=now,
        counterparts={SystemAccount.MONEY_FIXES.value: -amount_micro},
    )
    return journal_id, amount_micro


async def add_opening_credit(
    conn: AsyncConnection, account: Account, *, amount_micro: int, now: datetime
) -> Moved:
    """What the customer had elsewhere, agreed to after the account was opened."""
    account.open_with(credit_micro=amount_micro)
    account.judge(now)
    journal_id = await books.put_back_one(conn, account, kind="opening", now=now)
    return journal_id, amount_micro


async def check_movable(
    conn: AsyncConnection, source: Account, amount_micro: int, now: datetime
) -> None:
    """Raises NotEnoughCredit."""
    movable = moves.movable_micro(
        source.position,
        source.policy_at(now),
        paid_micro=await payments.paid_in(conn, source.account_id),
    )
    if amount_micro > movable:
        raise NotEnoughCredit(source.account_id, movable_micro=movable)


async def transfer(
    conn: AsyncConnection,
    source: Account,
    target: Account,
    *,
    amount_micro: int,
    now: datetime,
    payment_id: UUID | None = None,
) -> Moved:
    """One journal takes from one balance and gives to the other.

    The caller has checked that so much may go.
    """
    source.move(moves.send(source.position, amount_micro), now)
    target.move(moves.receive(target.position, amount_micro), now)
    both = sorted((source, target), key=lambda account: account.account_id)
    journal = books.journal_of(both, kind="transfer", now=now, payment_id=payment_id)
    await books.put_back(conn, both, journal=journal, now=now, cause=Cause("person"))
    return journal.journal_id, amount_micro


async def lock_movable_payment(conn: AsyncConnection, payment_id: UUID) -> Row[Any]:
    """A credited payment, locked. Raises PaymentUnknown, NotMovable."""
    payment = await payments.find(conn, payment_id, lock=True)
    if payment is None:
        raise PaymentUnknown(payment_id)
    if payment.reversed_at is not None:
        raise NotMovable("payment_reversed", payment_id)
    if payment.credit_journal_id is None:
        raise NotMovable("payment_not_credited", payment_id)
    return payment


async def unspent_micro(conn: AsyncConnection, payment: Row[Any], account: Account) -> int:
    """What of a payment is still on the balance it came to: at most what it gave to it.

    Raises NotMovable where nothing is left.
    """
    given = await money_requests.given_to_balance(
        conn, account_id=account.account_id, journal_id=payment.credit_journal_id
    )
    paid = await payments.paid_in(conn, account.account_id)
    unspent = moves.unspent_micro(account.position, given_micro=given, paid_micro=paid)
    if unspent <= 0:
        raise NotMovable("nothing_left", payment.payment_id)
    return unspent
