"""What an account looks like to people; nothing here changes anything."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.records import ParkedCharge
from npms_ledger.domain.waterfall import drawable_micro
from npms_ledger.handlers import books
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.storage import decisions, keep_ons, parked_charges, supplies, views

NEWEST = 2**63 - 1


@dataclass(frozen=True, slots=True)
class AccountView:
    """`facts` are the stored row's; the amounts are what the rules make of the position.

    `keep_on` is the row of a person's word that keeps the supply on, if one does.
    """

    facts: Row[Any]
    account: Account
    amount_to_clear_micro: int
    emergency_available_micro: int
    keep_on: Row[Any] | None


@dataclass(frozen=True, slots=True)
class AccountDetail:
    view: AccountView
    installations: Sequence[Row[Any]]
    supplies: Sequence[Row[Any]]


async def owner_of(conn: AsyncConnection, account_id: int) -> int:
    """The customer of an account. Raises AccountUnknown."""
    row = await views.account(conn, account_id)
    if row is None:
        raise AccountUnknown(account_id)
    customer_id: int = row.customer_id
    return customer_id


async def currency_of(conn: AsyncConnection, account_id: int) -> str:
    """The currency of an account. Raises AccountUnknown."""
    row = await views.account(conn, account_id)
    if row is None:
        raise AccountUnknown(account_id)
    currency: str = row.currency
    return currency


async def show_account(conn: AsyncConnection, account_id: int, now: datetime) -> AccountDetail:
    """Raises AccountUnknown."""
    row = await views.account(conn, account_id)
    if row is None:
        raise AccountUnknown(account_id)
    (view,) = await _views(conn, [row], now)
    return AccountDetail(
        view,
        installations=await views.installations(conn, account_id),
        supplies=await supplies.of_account(conn, account_id),
    )


async def list_accounts(
    conn: AsyncConnection, *, after: int, limit: int, customer_id: int | None, now: datetime
) -> list[AccountView]:
    rows = await views.accounts(conn, after=after, limit=limit, customer_id=customer_id)
    return await _views(conn, rows, now)


async def show_supply(
    conn: AsyncConnection, account_id: int, now: datetime
) -> tuple[Sequence[Row[Any]], Row[Any] | None]:
    """Each installation's supply, and the keep-on that is in force. Raises AccountUnknown."""
    detail = await show_account(conn, account_id, now)
    return detail.supplies, detail.view.keep_on


async def show_decisions(
    conn: AsyncConnection, account_id: int, *, before: int, limit: int
) -> Sequence[Row[Any]]:
    """Why supply was desired as it was, newest first."""
    return await decisions.of_account(conn, account_id, before=before, limit=limit)


async def show_statement(
    conn: AsyncConnection, account_id: int, *, before: int, limit: int
) -> Sequence[Row[Any]]:
    return await views.statement(conn, account_id, before=before, limit=limit)


async def list_parked_charges(
    conn: AsyncConnection, *, before: UUID | None, limit: int
) -> list[ParkedCharge]:
    """The newest first, parked before the one of id `before`."""
    return await parked_charges.list_newest(conn, before=before, limit=limit)


async def _views(
    conn: AsyncConnection, rows: Sequence[Row[Any]], now: datetime
) -> list[AccountView]:
    accounts = await books.take_locked(conn, [row.account_id for row in rows])
    kept = [one for one, account in accounts.items() if account.position.keep_on_until]
    keep_on = await keep_ons.last_of(conn, kept) if kept else {}
    return [_view(row, accounts[row.account_id], keep_on.get(row.account_id), now) for row in rows]


def _view(row: Row[Any], account: Account, keep_on: Row[Any] | None, now: datetime) -> AccountView:
    return AccountView(
        facts=row,
        account=account,
        amount_to_clear_micro=account.amount_to_clear(now),
        emergency_available_micro=drawable_micro(account.position, account.policy_at(now)),
        keep_on=keep_on,
    )
