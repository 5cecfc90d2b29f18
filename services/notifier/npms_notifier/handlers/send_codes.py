"""Codes go to addresses that are not verified, so many and no more."""

from collections.abc import Sequence
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain import notices
from npms_notifier.domain.codes import DAY, MASK, MadeCode, wait_for_another
from npms_notifier.domain.contacts import Contact
from npms_notifier.domain.records import Account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.notify import compose_delivery
from npms_notifier.storage import codes, deliveries
from npms_shared.ids import new_id


async def send_codes(
    conn: AsyncConnection, context: Context, account: Account, contacts: Sequence[Contact]
) -> list[timedelta]:
    """Send a code to each address that may have one now; returns how long each has to wait.

    The account's row is locked by this transaction, so that nobody counts beside it.
    """
    now = context.clock.wall_now()
    await codes.forget(conn, account.account_id, before=now - 2 * DAY)
    made = await codes.made_since(conn, account.account_id, now - DAY)
    waits = []
    for contact in contacts:
        wait = wait_for_another(made, contact.channel, contact.address, at=now)
        waits.append(wait)
        if not wait:
            await _send_code(conn, context, account, contact)
            made.append(MadeCode(contact.channel, contact.address, now))
    return waits


async def _send_code(
    conn: AsyncConnection, context: Context, account: Account, contact: Contact
) -> None:
    """The code itself is made when its message leaves: until then there is none to be read."""
    now, code_id = context.clock.wall_now(), new_id()
    await codes.end(conn, account.account_id, [contact], at=now)
    await codes.add(conn, code_id, account.account_id, contact, made_at=now)
    notice = notices.contact_code(code=MASK)
    await deliveries.queue(conn, [compose_delivery(context, notice, account, contact, code_id)])
