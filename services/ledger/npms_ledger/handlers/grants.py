"""Credits: granted, ended, and all of an account's shown with their states."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.credits import Credit, credits_of
from npms_ledger.domain.grant import Grant, GrantTerms
from npms_ledger.handlers import books, holdings
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.errors import (
    AccountUnknown,
    CurrencyMismatch,
    EndsTooEarly,
    GrantUnknown,
)
from npms_ledger.handlers.money_requests import MoneyRequest, alone, ask
from npms_ledger.handlers.move_money import take_open
from npms_ledger.storage import grants
from npms_shared.actor import Actor
from npms_shared.money import AmountsByCurrency


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A credit to grant, and why; `currency` is None for a time credit."""

    terms: GrantTerms
    ends_at: datetime | None
    why: str
    currency: str | None = None


@dataclass(frozen=True, slots=True)
class Granted:
    account: Account
    number: int
    journal_id: UUID


@dataclass(frozen=True, slots=True)
class CreditsView:
    account: Account
    credits: tuple[Credit, ...]


async def request_grant(
    conn: AsyncConnection,
    account_id: int,
    new: NewGrant,
    *,
    by: Actor,
    limits: AmountsByCurrency,
    now: datetime,
) -> Granted | Row[Any]:
    """Grant a credit, or ask somebody to agree to it: the money request that waits then.

    What comes again each month always needs two. A time credit is no money, as a keep-on is none.
    Raises AccountUnknown, AccountIsClosed, CurrencyMismatch, EndsTooEarly.
    """
    account = await take_open(conn, account_id)
    if new.currency not in {None, account.currency}:
        raise CurrencyMismatch("grant", str(new.currency), account.currency)
    asked = MoneyRequest(
        "grant",
        account_id,
        new.terms.amount_micro,
        account.currency,
        new.why,
        terms=_to_request(account_id, new),
    )
    if new.terms.monthly or not await alone(conn, asked, by=by, limits=limits, now=now):
        _check_end(new, now)
        return await ask(conn, asked, by=by, now=now)
    return await grant_credit(conn, account_id, new, now=now, by=by.subject)


def _to_request(account_id: int, new: NewGrant) -> dict[str, Any]:
    row = holdings.grant_row(account_id, Grant(0, new.terms, ends_at=new.ends_at))
    return {**row, "ends_at": new.ends_at and new.ends_at.isoformat()}


def from_request(terms: dict[str, Any], *, why: str) -> NewGrant:
    """What a money request of kind grant asked for."""
    grant = holdings.to_grant(terms)
    return NewGrant(grant.terms, grant.ends_at, why)


def _check_end(new: NewGrant, now: datetime) -> None:
    if new.ends_at is not None and new.ends_at <= now:
        raise EndsTooEarly


async def grant_credit(
    conn: AsyncConnection, account_id: int, new: NewGrant, *, now: datetime, by: str
) -> Granted:
    """Grant a credit to an open account.

    Raises AccountUnknown, AccountIsClosed, EndsTooEarly.
    """
    _check_end(new, now)
    account = await take_open(conn, account_id)
    number = await grants.next_number(conn, account_id)
    row = holdings.grant_row(account_id, Grant(number, new.terms, ends_at=new.ends_at))
    await grants.add(conn, row, now=now, by=by, why=new.why)
    account.grant(new.terms, number=number, ends_at=new.ends_at, now=now)
    journal_id = await books.put_back_one(
        conn, account, kind="grant", now=now, cause=Cause("person", subject=by)
    )
    return Granted(account, number, journal_id)


async def end_grant(
    conn: AsyncConnection, account_id: int, number: int, *, now: datetime, by: str, why: str
) -> None:
    """What is left of a grant expires now. Raises AccountUnknown, AccountIsClosed, GrantUnknown."""
    account = await take_open(conn, account_id)
    if all(grant.number != number for grant in account.position.grants):
        raise GrantUnknown(number)
    account.end_grant(number, now)
    await grants.note_end(conn, account_id, number, by=by, why=why)
    await books.put_back_one(
        conn, account, kind="grant", now=now, cause=Cause("person", subject=by)
    )


async def show_credits(conn: AsyncConnection, account_id: int, now: datetime) -> CreditsView:
    """Every credit of an account in the order of use, ended ones last. Raises AccountUnknown."""
    taken = await books.take_locked(conn, [account_id])
    if account_id not in taken:
        raise AccountUnknown(account_id)
    account = taken[account_id]
    rows = await grants.all_of(conn, account_id)
    every = tuple(holdings.to_grant(dict(row._mapping)) for row in rows)
    return CreditsView(account, credits_of(account.position, every, account.policy_at(now)))
