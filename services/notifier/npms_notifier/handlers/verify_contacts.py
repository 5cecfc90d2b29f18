"""Addresses are verified: who got the code that was sent there enters it here."""

from collections.abc import Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier import metrics
from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.domain.errors import (
    AlreadyVerified,
    CodeExpired,
    CodeSentRecently,
    ContactUnknown,
)
from npms_notifier.domain.records import AccountContacts
from npms_notifier.handlers.accounts import visible_account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.send_codes import send_codes
from npms_notifier.storage import codes, contacts, deliveries
from npms_shared.auth.tokens import Principal
from npms_shared.db import audit_trail


async def resend_contact_code(
    conn: AsyncConnection, context: Context, account_id: int, caller: Principal, channel: Channel
) -> AccountContacts:
    """Send another code to the channel's addresses that are not verified; the last one ends.

    Raises AccountUnknown, ContactUnknown, AlreadyVerified, CodeSentRecently.
    """
    account = await visible_account(conn, account_id, caller, for_update=True)
    reached = await contacts.list_of(conn, account_id)
    waits = await send_codes(conn, context, account, _unverified(reached, channel))
    if all(waits):
        raise CodeSentRecently(min(waits))
    await audit_trail.note(
        conn,
        caller.actor(),
        "contact_code_resent",
        subject=f"account:{account_id}",
        now=context.clock.now(),
        after={"channel": channel.value},
    )
    return AccountContacts(account, reached)


async def confirm_contact(
    conn: AsyncConnection,
    context: Context,
    account_id: int,
    caller: Principal,
    *,
    channel: Channel,
    code: str,
) -> AccountContacts | None:
    """The address that the code was sent to is verified, and what was held for it goes there.

    None where the code is wrong: that it was tried has to be committed before the caller hears it.
    Raises AccountUnknown, ContactUnknown, AlreadyVerified, CodeExpired.
    """
    account = await visible_account(conn, account_id, caller, for_update=True)
    unverified = _unverified(await contacts.list_of(conn, account_id), channel)
    proven = await _proven(conn, context, account_id, unverified, code)
    if proven is not None:
        await _verify(conn, context, account_id, proven)
    _count(channel, "confirmed" if proven else "refused")
    await audit_trail.note(
        conn,
        caller.actor(),
        "contact_confirmed" if proven else "contact_code_refused",
        subject=f"account:{account_id}",
        now=context.clock.now(),
        after={"channel": channel.value} | ({"address": proven.masked} if proven else {}),
    )
    if proven is None:
        return None
    return AccountContacts(account, await contacts.list_of(conn, account_id))


def _unverified(reached: Sequence[Contact], channel: Channel) -> list[Contact]:
    """Those of a channel that a code could verify; raises ContactUnknown, AlreadyVerified."""
    usable = [c for c in reached if c.channel is channel and c.fault is None]
    if not usable:
        raise ContactUnknown(channel)
    unverified = [c for c in usable if c.verified_at is None]
    if not unverified:
        raise AlreadyVerified
    return unverified


async def _proven(
    conn: AsyncConnection,
    context: Context,
    account_id: int,
    unverified: Sequence[Contact],
    code: str,
) -> Contact | None:
    """Which contact the code was sent to; an attempt at all of them. Raises CodeExpired."""
    channel, now = unverified[0].channel, context.clock.wall_now()
    sent = await codes.open_of(conn, account_id, channel)
    tried = [open_code for open_code in sent if open_code.may_be_tried(now)]
    if not tried:
        _count(channel, "refused")
        raise CodeExpired
    await codes.count_attempt(conn, [open_code.code_id for open_code in tried])
    matching = {c.address for c in tried if c.matches(code, context.code_pepper)}
    return next((contact for contact in unverified if contact.address in matching), None)


async def _verify(
    conn: AsyncConnection, context: Context, account_id: int, contact: Contact
) -> None:
    wall, channel, address = context.clock.wall_now(), contact.channel, contact.address
    await codes.end(conn, account_id, [contact], at=wall)
    await contacts.verify(conn, account_id, channel, address, at=context.clock.now())
    await deliveries.release(conn, account_id, channel, address, at=wall)


def _count(channel: Channel, outcome: str) -> None:
    metrics.CONTACT_CODES.labels(channel=channel.value, outcome=outcome).inc()
