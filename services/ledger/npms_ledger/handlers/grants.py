"""Credits: granted, ended, and all of an account's shown with their states."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.credits import Credit, credits_of
from npms_ledger.domain.grant import Grant, GrantTerms
from npms_ledger.handlers import books, holdings
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.errors import AccountUnknown, EndsTooEarly, GrantUnknown
from npms_ledger.handlers.move_money import take_open
from npms_ledger.storage import grants


@dataclass(frozen=True, slots=True)
class NewGrant:
    """A credit to grant, and why."""

    terms: GrantTerms
    ends_at: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class CreditsView:
    account: Account
    credits: tuple[Credit, ...]


async def grant_credit(
    conn: AsyncConnection, account_id: int, new: NewGrant, *, now: datetime, by: str
) -> int:
    """Grant a credit to an open account; returns its number.

    Raises AccountUnknown, AccountIsClosed, EndsTooEarly.
    """
    if new.ends_at is not None and new.ends_at <= now:
        raise EndsTooEarly
    account = await take_open(conn, account_id)
    number = await grants.next_number(conn, account_id)
    row = holdings.grant_row(account_id, Grant(number, new.terms, ends_at=new.ends_at))
    await grants.add(conn, row, now=now, by=by, why=new.why)
    account.grant(new.terms, number=number, ends_at=new.ends_at, now=now)
    await books.put_back_one(
        conn, account, kind="grant", now=now, cause=Cause("person", subject=by)
    )
    return number


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
