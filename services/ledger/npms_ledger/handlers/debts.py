"""Debts with terms of their own: added, changed, looked at."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.debt import Debt, DebtTerms
from npms_ledger.handlers import books, holdings
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.errors import DebtUnknown
from npms_ledger.handlers.move_money import take_open
from npms_ledger.storage import debts


@dataclass(frozen=True, slots=True)
class NewDebt:
    """A debt to take over, and why."""

    terms: DebtTerms
    amount_micro: int
    why: str


async def take_over_debt(
    conn: AsyncConnection, account_id: int, new: NewDebt, *, now: datetime, by: str
) -> int:
    """Add a debt to an open account; returns its number. Raises AccountUnknown, AccountIsClosed."""
    account = await take_open(conn, account_id)
    number = await debts.next_number(conn, account_id)
    await add_debt(conn, account, new, number=number, now=now, by=by)
    account.judge(now)
    await books.put_back_one(conn, account, kind="debt", now=now, cause=Cause("person", subject=by))
    return number


async def add_debt(
    conn: AsyncConnection, account: Account, new: NewDebt, *, number: int, now: datetime, by: str
) -> None:
    """The debt's row, and its posting on the account in hand."""
    row = holdings.debt_row(account.account_id, Debt(number, new.amount_micro, new.terms))
    await debts.add(conn, row, now=now, by=by, why=new.why)
    account.add_debt(new.terms, number=number, amount_micro=new.amount_micro, now=now)


async def change_debt(
    conn: AsyncConnection,
    account_id: int,
    number: int,
    *,
    terms: DebtTerms,
    now: datetime,
    by: str,
    why: str,
) -> None:
    """Other terms for an open debt. Raises AccountUnknown, AccountIsClosed, DebtUnknown."""
    account = await take_open(conn, account_id)
    held = [debt for debt in account.position.debts if debt.number == number]
    if not held:
        raise DebtUnknown(number)
    account.change_debt(number, terms, now)
    row = holdings.debt_row(account_id, Debt(number, 0, terms))
    await debts.change(conn, row, now=now, by=by, why=why)
    await books.put_back_one(conn, account, kind="debt", now=now, cause=Cause("person", subject=by))


async def list_debts(
    conn: AsyncConnection, account_id: int, *, after: int, limit: int
) -> Sequence[Row[Any]]:
    """Debts with numbers above `after`, recovered ones too."""
    return await debts.page(conn, account_id, after=after, limit=limit)
