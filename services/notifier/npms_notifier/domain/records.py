"""What is kept of accounts, deliveries and tickets.

`delivery.due_at` is wall time: when the loop looks at a delivery next. While one is being sent it
is the end of its lease, so that a delivery whose process died is taken up again.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.domain.deliveries import State
from npms_notifier.domain.tickets import Author, TicketState


@dataclass(frozen=True, slots=True)
class Account:
    """An account as the ledger told of it, with what was changed here since."""

    account_id: int
    customer_id: int
    customer_name: str
    currency: str
    time_zone: str
    language: str
    opened_at: datetime
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class AccountContacts:
    """How the people of an account are reached, in their order."""

    account: Account
    contacts: Sequence[Contact]


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """One message to one address; `due_at` in wall time, `created_at` in business time.

    With `held_until`, in wall time, it waits for its address to be verified and is due afterwards.
    """

    delivery_id: UUID
    account_id: int
    message_id: UUID
    contact: Contact
    template: str
    language: str
    subject: str
    body: str
    due_at: datetime
    created_at: datetime
    held_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClaimedDelivery:
    """A delivery under lease; `attempts` counts this one and names the lease."""

    delivery_id: UUID
    account_id: int
    message_id: UUID
    channel: Channel
    address: str
    template: str
    subject: str
    body: str
    attempts: int


@dataclass(frozen=True, slots=True)
class Delivery:
    delivery_id: UUID
    account_id: int
    channel: Channel
    address: str
    template: str
    language: str
    subject: str
    body: str
    state: State
    attempts: int
    error: str | None
    reference: str | None
    created_at: datetime
    settled_at: datetime | None


@dataclass(frozen=True, slots=True)
class Ticket:
    ticket_id: UUID
    account_id: int
    customer_id: int
    subject: str
    state: TicketState
    opened_by: str
    opened_at: datetime
    closed_by: str | None = None
    closed_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class TicketMessage:
    message_id: UUID
    ticket_id: UUID
    author: Author
    written_by: str
    body: str
    written_at: datetime


@dataclass(frozen=True, slots=True)
class Conversation:
    """A ticket with everything written in it, oldest first."""

    ticket: Ticket
    messages: Sequence[TicketMessage]
