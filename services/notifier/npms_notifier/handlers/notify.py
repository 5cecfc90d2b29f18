"""Queues a notice for every contact of an account, in the transaction of what caused it."""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.contacts import Contact, spoken_language
from npms_notifier.domain.errors import AccountUnknown
from npms_notifier.domain.notices import Notice
from npms_notifier.domain.quiet_hours import QuietHours
from npms_notifier.domain.records import Account, NewDelivery
from npms_notifier.storage import accounts, deliveries
from npms_notifier.templates.formats import zone_of
from npms_notifier.templates.rendering import Reader, Renderer
from npms_shared.clock import Clock
from npms_shared.ids import new_id


@dataclass(frozen=True, slots=True)
class Herald:
    """Who calls things out to people: in their language, and not at night what can wait."""

    renderer: Renderer
    clock: Clock
    quiet_hours: QuietHours | None = None

    async def tell(
        self, conn: AsyncConnection, notice: Notice, *, account_id: int, message_id: UUID
    ) -> int:
        """Queue a delivery per usable contact, once per `message_id`; returns how many.

        Raises AccountUnknown where the account's opening was not heard yet.
        """
        account = await accounts.find(conn, account_id)
        if account is None:
            raise AccountUnknown(account_id)
        usable = [c for c in await accounts.contacts_of(conn, account_id) if c.fault is None]
        due_at = self._due_at(notice, account)
        await deliveries.queue(
            conn, [self._delivery(notice, account, c, message_id, due_at) for c in usable]
        )
        return len(usable)

    def _due_at(self, notice: Notice, account: Account) -> datetime:
        """Wall time; the night passes in business time."""
        wall = self.clock.wall_now()
        if notice.urgent or self.quiet_hours is None:
            return wall
        wait = self.quiet_hours.wait(self.clock.now(), zone_of(account.time_zone))
        return wall + wait / self.clock.speed

    def _delivery(
        self, notice: Notice, account: Account, contact: Contact, message_id: UUID, due_at: datetime
    ) -> NewDelivery:
        reader = Reader(
            account_id=account.account_id,
            name=account.customer_name,
            language=spoken_language(account.language),
            zone=zone_of(account.time_zone),
        )
        rendered = self.renderer.render(notice, contact.channel, reader)
        return NewDelivery(
            delivery_id=new_id(),
            account_id=account.account_id,
            message_id=message_id,
            contact=contact,
            template=notice.template,
            language=reader.language,
            subject=rendered.subject,
            body=rendered.body,
            due_at=due_at,
            created_at=self.clock.now(),
        )
