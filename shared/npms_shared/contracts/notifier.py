"""What the notifier says."""

from typing import ClassVar, Literal
from uuid import UUID

from pydantic import AwareDatetime

from npms_shared.contracts.base import Event


class NotifierEvent(Event):
    publisher: ClassVar[str] = "notifier"


class DeliveryReported(NotifierEvent):
    name: ClassVar[str] = "delivery_reported.v1"

    delivery_id: UUID
    account_id: int
    channel: Literal["email", "sms"]
    template: str
    state: Literal["sent", "failed"]
    attempts: int
    reported_at: AwareDatetime


class TicketOpened(NotifierEvent):
    name: ClassVar[str] = "ticket_opened.v1"

    ticket_id: UUID
    account_id: int
    subject: str
    opened_at: AwareDatetime


class TicketClosed(NotifierEvent):
    name: ClassVar[str] = "ticket_closed.v1"

    ticket_id: UUID
    account_id: int
    closed_at: AwareDatetime


EVENTS = (DeliveryReported, TicketOpened, TicketClosed)
