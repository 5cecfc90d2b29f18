"""A notifier in parts, and who it speaks to."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from uuid import UUID

from fastapi import FastAPI

from npms_notifier.domain import notices
from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.domain.notices import Money, Notice
from npms_notifier.domain.records import Account
from npms_notifier.handlers.accounts import learn_account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.deliver import DeliveryLoop
from npms_notifier.handlers.notify import queue_notice
from npms_notifier.storage import contacts
from npms_shared.clock import ManualClock
from npms_shared.db.engine import Database
from npms_shared.ids import new_id

API_KEY = "for-tests-only"
PEPPER = b"for tests only, thirty-two characters"
NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
EMAIL = Contact(Channel.EMAIL, "wanjiku@example.org")
PHONE = Contact(Channel.SMS, "+254712345678")
RESTORED = notices.credit_restored(balance=Money(20_000_000, "KES"))


@dataclass(slots=True)
class Notifier:
    """The parts of a notifier, without its broker."""

    context: Context
    loops: list[DeliveryLoop]
    app: FastAPI

    @property
    def database(self) -> Database:
        return self.context.database

    @property
    def clock(self) -> ManualClock:
        assert isinstance(self.context.clock, ManualClock)
        return self.context.clock

    async def deliver(self) -> int:
        """One pass on each channel; returns how many were attempted."""
        return sum([await loop.run_pass() for loop in self.loops])

    async def notify(
        self, notice: Notice, *, account_id: int = 1, message_id: UUID | None = None
    ) -> int:
        """As an event does it; returns for how many contacts."""
        async with self.database.transaction() as conn:
            return await queue_notice(
                conn,
                self.context,
                notice,
                account_id=account_id,
                message_id=message_id or new_id(),
            )

    async def open_account(
        self,
        account_id: int,
        *reached: Contact,
        customer_id: int = 77,
        language: str = "en",
        verified: bool = True,
    ) -> None:
        """With `verified` as it was before addresses had to be, else as an event does it."""
        account = Account(
            account_id=account_id,
            customer_id=customer_id,
            customer_name="Wanjiku Kamau",
            currency="KES",
            time_zone="Africa/Nairobi",
            language=language,
            opened_at=NOW,
        )
        async with self.database.transaction() as conn:
            await learn_account(conn, self.context, account, [] if verified else reached)
            if verified:
                kept = [c if c.fault else replace(c, verified_at=NOW) for c in reached]
                await contacts.replace(conn, account_id, kept)
