"""Accounts as the ledger told of them, and who may see them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Contact, distinct
from npms_notifier.domain.errors import AccountUnknown
from npms_notifier.domain.records import Account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.send_codes import send_codes
from npms_notifier.storage import accounts, contacts
from npms_shared.auth.tokens import Principal


async def learn_account(
    conn: AsyncConnection, context: Context, account: Account, reached: Sequence[Contact]
) -> None:
    """Take an account up as it was opened, and send codes to where its people say they are.

    What is known already stays as it is.
    """
    if await accounts.add(conn, account):
        kept = distinct(reached)
        await contacts.replace(conn, account.account_id, kept)
        await send_codes(conn, context, account, [c for c in kept if c.fault is None])


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
