"""Accounts as the ledger told of them, and who may see them."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Contact, distinct
from npms_notifier.domain.errors import AccountUnknown
from npms_notifier.domain.records import Account
from npms_notifier.storage import accounts
from npms_shared.auth.tokens import Principal


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
