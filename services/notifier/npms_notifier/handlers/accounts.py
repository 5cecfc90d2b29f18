"""Who can be told things: accounts learnt from the ledger, contacts and language kept here."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Contact, distinct
from npms_notifier.domain.errors import AccountUnknown
from npms_notifier.domain.records import Account
from npms_notifier.storage import accounts
from npms_shared.auth.tokens import Principal


@dataclass(frozen=True, slots=True)
class ContactBook:
    """How the people of an account are told things."""

    account: Account
    contacts: Sequence[Contact]


async def learn_account(
    conn: AsyncConnection, account: Account, contacts: Sequence[Contact]
) -> None:
    """Take an account up as it was opened; what is known already stays as it is."""
    if await accounts.add(conn, account):
        await accounts.replace_contacts(conn, account.account_id, distinct(contacts))


async def close_account(conn: AsyncConnection, account_id: int, *, at: datetime) -> None:
    """Raises AccountUnknown."""
    if not await accounts.close(conn, account_id, at=at):
        raise AccountUnknown(account_id)


async def visible_account(
    conn: AsyncConnection, account_id: int, caller: Principal, *, for_update: bool = False
) -> Account:
    """The account; raises AccountUnknown also where it is not the caller's."""
    account = await accounts.find(conn, account_id, for_update=for_update)
    if account is None or not caller.may_see(account.customer_id):
        raise AccountUnknown(account_id)
    return account


async def read_contacts(conn: AsyncConnection, account_id: int, caller: Principal) -> ContactBook:
    """Raises AccountUnknown."""
    account = await visible_account(conn, account_id, caller)
    return ContactBook(account, await accounts.contacts_of(conn, account_id))


async def replace_contacts(
    conn: AsyncConnection,
    account_id: int,
    caller: Principal,
    *,
    language: str,
    contacts: Sequence[Contact],
) -> ContactBook:
    """From the next message on; raises AccountUnknown."""
    account = await visible_account(conn, account_id, caller, for_update=True)
    kept = distinct(contacts)
    await accounts.set_language(conn, account_id, language=language)
    await accounts.replace_contacts(conn, account_id, kept)
    return ContactBook(replace(account, language=language), kept)
