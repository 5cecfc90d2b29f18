"""What REST takes and gives."""

from datetime import datetime
from typing import Annotated, Self
from uuid import UUID

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, field_validator
from pydantic_core.core_schema import ValidationInfo

from npms_notifier.domain import contacts
from npms_notifier.domain.contacts import Channel, Contact
from npms_notifier.domain.deliveries import State
from npms_notifier.domain.errors import AddressRefused, LanguageUnknown
from npms_notifier.domain.records import (
    AccountContacts,
    Conversation,
    Delivery,
    Ticket,
    TicketMessage,
)
from npms_notifier.domain.tickets import Author, TicketState, plain_subject
from npms_shared.web.schemas import CodedError, Line, Schema

TICKET_ID = UUID("0193c2f4-6a10-7cc0-8000-000000000001")
MESSAGE_ID = UUID("0193c2f4-6a10-7cc0-8000-000000000002")
AT = "2026-11-23T08:15:00Z"


def _language(code: str) -> str:
    try:
        return contacts.known_language(code)
    except LanguageUnknown as fault:
        raise CodedError(fault.code, f"one of {', '.join(fault.known)}") from None


Language = Annotated[str, AfterValidator(_language)]
Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=4000)]


def _subject(text: str) -> str:
    try:
        return plain_subject(text)
    except ValueError as fault:
        raise CodedError("unreadable_text", str(fault)) from None


Subject = Annotated[Line, StringConstraints(max_length=120), AfterValidator(_subject)]


class ContactRequest(Schema):
    """One way to reach somebody."""

    channel: Channel = Field(examples=["sms"])
    address: str = Field(
        max_length=254,
        description="e-mail address, or phone number with + and country code",
        examples=["+254712345678"],
    )

    @field_validator("address")
    @classmethod
    def _fits_channel(cls, value: str, info: ValidationInfo) -> str:
        if "channel" not in info.data:
            return value
        try:
            return contacts.contact(info.data["channel"], value).address
        except AddressRefused as fault:
            raise CodedError(fault.code, f"not an address for {fault.channel}") from None


class ContactsRequest(Schema):
    """All of them; what is not in it is no longer used."""

    language: Language = Field(examples=["sw"])
    contacts: list[ContactRequest] = Field(max_length=10)


class ConfirmContactRequest(Schema):
    """The code as it came by e-mail or SMS."""

    code: str = Field(pattern=r"^[0-9]{6}$", examples=["123456"])


class ContactResponse(BaseModel):
    """Notices go to verified addresses only; those to others are held for a day."""

    channel: Channel = Field(examples=["sms"])
    address: str = Field(examples=["+254712345678"])
    fault: str | None = Field(
        default=None,
        description="why nothing is sent to this address",
        examples=["not_an_e164_number"],
    )
    verified: bool = Field(description="somebody entered the code that was sent there")
    verified_at: datetime | None = Field(examples=[AT])

    @classmethod
    def of(cls, contact: Contact) -> Self:
        return cls(
            channel=contact.channel,
            address=contact.address,
            fault=contact.fault,
            verified=contact.verified_at is not None,
            verified_at=contact.verified_at,
        )


class ContactsResponse(BaseModel):
    account_id: int = Field(examples=[1042])
    language: str = Field(examples=["sw"])
    contacts: list[ContactResponse]

    @classmethod
    def of(cls, reached: AccountContacts) -> Self:
        return cls(
            account_id=reached.account.account_id,
            language=reached.account.language,
            contacts=[ContactResponse.of(contact) for contact in reached.contacts],
        )


class DeliveryResponse(BaseModel):
    """A message to one address, and what became of it."""

    delivery_id: UUID = Field(examples=[MESSAGE_ID])
    account_id: int = Field(examples=[1042])
    channel: Channel = Field(examples=["sms"])
    address: str = Field(examples=["+254712345678"])
    template: str = Field(examples=["low_balance"])
    language: str = Field(examples=["en"])
    subject: str = Field(description="empty for an SMS", examples=[""])
    body: str = Field(
        description="of a message with a code without the code",
        examples=["NPMS: account 1042, balance KES 48.20. Top up …"],
    )
    state: State = Field(examples=["sent"])
    attempts: int = Field(examples=[1])
    error: str | None = Field(description="how the last attempt failed", examples=[None])
    reference: str | None = Field(
        description="what the mail server or SMS operator answered", examples=["op-77"]
    )
    created_at: datetime = Field(examples=[AT])
    settled_at: datetime | None = Field(
        description="sent, given up, or expired: its address was not verified in time",
        examples=[AT],
    )

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        return cls.model_validate(delivery, from_attributes=True)


class TicketRequest(Schema):
    subject: Subject = Field(examples=["Why was I charged twice?"])
    body: Text = Field(examples=["My statement of 3 November shows two entries."])


class TicketMessageRequest(Schema):
    body: Text = Field(examples=["The second entry is the daily charge."])


class _Ticket(BaseModel):
    ticket_id: UUID = Field(examples=[TICKET_ID])
    account_id: int = Field(examples=[1042])
    subject: str = Field(examples=["Why was I charged twice?"])
    state: TicketState = Field(examples=["answered"])
    opened_by: str = Field(examples=["customer-77"])
    opened_at: datetime = Field(examples=[AT])
    closed_by: str | None = Field(examples=[None])
    closed_at: datetime | None = Field(examples=[None])


class TicketResponse(_Ticket):
    @classmethod
    def of(cls, ticket: Ticket) -> Self:
        return cls.model_validate(ticket, from_attributes=True)


class TicketMessageResponse(BaseModel):
    message_id: UUID = Field(examples=[MESSAGE_ID])
    author: Author = Field(examples=["operator"])
    written_by: str = Field(examples=["operator-3"])
    body: str = Field(examples=["The second entry is the daily charge."])
    written_at: datetime = Field(examples=[AT])

    @classmethod
    def of(cls, message: TicketMessage) -> Self:
        return cls.model_validate(message, from_attributes=True)


class ConversationResponse(_Ticket):
    """A ticket with everything written in it, oldest first."""

    messages: list[TicketMessageResponse]

    @classmethod
    def of(cls, conversation: Conversation) -> Self:
        ticket = TicketResponse.of(conversation.ticket)
        messages = [TicketMessageResponse.of(m) for m in conversation.messages]
        return cls(**ticket.model_dump(), messages=messages)
