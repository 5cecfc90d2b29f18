"""How the people of an account are reached: read and replaced."""

from collections.abc import Sequence
from dataclasses import replace

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Contact, kept_or_new
from npms_notifier.domain.records import AccountContacts
from npms_notifier.handlers.accounts import visible_account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.send_codes import send_codes
from npms_notifier.storage import accounts, codes, contacts
from npms_shared.auth.tokens import Principal
from npms_shared.db import audit_trail


async def get_contacts(
    conn: AsyncConnection, account_id: int, caller: Principal
) -> AccountContacts:
    """Raises AccountUnknown."""
    account = await visible_account(conn, account_id, caller)
    return AccountContacts(account, await contacts.list_of(conn, account_id))


async def replace_contacts(
    conn: AsyncConnection,
    context: Context,
    account_id: int,
    caller: Principal,
    *,
    language: str,
    wanted: Sequence[Contact],
) -> AccountContacts:
    """From the next message on; addresses that are new get a code. Raises AccountUnknown.

    The codes of those that go end: an address that comes back is to be verified anew.
    """
    account = await visible_account(conn, account_id, caller, for_update=True)
    before = AccountContacts(account, await contacts.list_of(conn, account_id))
    kept = kept_or_new(before.contacts, wanted)
    after = AccountContacts(replace(account, language=language), kept)
    await accounts.set_language(conn, account_id, language=language)
    await contacts.replace(conn, account_id, kept)
    gone = [contact for contact in before.contacts if contact not in kept]
    await codes.end(conn, account_id, gone, at=context.clock.wall_now())
    added = [contact for contact in kept if contact not in before.contacts]
    await send_codes(conn, context, after.account, added)
    await audit_trail.note(
        conn,
        caller.actor(),
        "contacts_replaced",
        subject=f"account:{account_id}",
        now=context.clock.now(),
        before=_facts(before),
        after=_facts(after),
    )
    return after


def _facts(reached: AccountContacts) -> dict[str, object]:
    """Without addresses that somebody could write to."""
    masked = [f"{contact.channel}:{contact.masked}" for contact in reached.contacts]
    return {"language": reached.account.language, "contacts": masked}
