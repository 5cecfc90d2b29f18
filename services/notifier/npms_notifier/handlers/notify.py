"""Queues a notice for every contact of an account, in the transaction of what caused it."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain import codes
from npms_notifier.domain.contacts import Contact, spoken_language
from npms_notifier.domain.errors import AccountUnknown
from npms_notifier.domain.notices import Notice
from npms_notifier.domain.records import Account, NewDelivery
from npms_notifier.handlers.context import Context
from npms_notifier.storage import accounts, contacts, deliveries
from npms_notifier.templates.formats import zone_of
from npms_notifier.templates.rendering import Reader
from npms_shared.ids import new_id


async def queue_notice(
    conn: AsyncConnection, context: Context, notice: Notice, *, account_id: int, message_id: UUID
) -> int:
    """Queue a delivery per usable contact, once per `message_id`; returns how many.

    What goes to an address that is not verified is held. Raises AccountUnknown where the account's
    opening was not heard yet.
    """
    account = await accounts.find(conn, account_id)
    if account is None:
        raise AccountUnknown(account_id)
    usable = [c for c in await contacts.list_of(conn, account_id) if c.fault is None]
    composed = [compose_delivery(context, notice, account, c, message_id) for c in usable]
    await deliveries.queue(conn, composed)
    return len(usable)


def compose_delivery(
    context: Context, notice: Notice, account: Account, contact: Contact, message_id: UUID
) -> NewDelivery:
    """The notice as it is to be delivered. Raises TemplateFault."""
    reader = Reader(
        account_id=account.account_id,
        name=account.customer_name,
        language=spoken_language(account.language),
        zone=zone_of(account.time_zone),
    )
    rendered = context.renderer.render(notice, contact.channel, reader)
    may_go = notice.to_unverified or contact.verified_at is not None
    return NewDelivery(
        delivery_id=new_id(),
        account_id=account.account_id,
        message_id=message_id,
        contact=contact,
        template=notice.template,
        language=reader.language,
        subject=rendered.subject,
        body=rendered.body,
        due_at=_due_at(context, notice, account),
        created_at=context.clock.now(),
        held_until=None if may_go else context.clock.wall_now() + codes.HOLD,
    )


def _due_at(context: Context, notice: Notice, account: Account) -> datetime:
    """Wall time; the night passes in business time."""
    clock = context.clock
    if notice.urgent or context.quiet_hours is None:
        return clock.wall_now()
    wait = context.quiet_hours.wait(clock.now(), zone_of(account.time_zone))
    return clock.wall_now() + wait / clock.speed
