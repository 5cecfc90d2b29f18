"""How the people of an account are reached: read and replaced."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Contact, distinct
from npms_notifier.domain.records import AccountContacts
from npms_notifier.handlers.accounts import visible_account
from npms_notifier.storage import accounts
from npms_shared.auth.tokens import Principal


async def get_contacts(
    conn: AsyncConnection, account_id: int, caller: Principal
) -> AccountContacts:
    """Raises AccountUnknown."""
    account = await visible_account(conn, account_id, caller)
    return AccountContacts(account, await accounts.contacts_of(conn, account_id))


async def replace_contacts(
    conn: AsyncConnection,
    account_id: int,
    caller: Principal,
    *,
    language: str,
    contacts: Sequence[Contact],
) -> AccountContacts:
    """From the next message on; raises AccountUnknown."""
    account = await visible_account(conn, account_id, caller, for_update=True)
    kept = distinct(contacts)
    await accounts.set_language(conn, account_id, language=language)
    await accounts.replace_contacts(conn, account_id, kept)
    return AccountContacts(replace(account, language=language), kept)
