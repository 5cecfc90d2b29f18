"""Support tickets: opened, answered, asked back, closed."""

from dataclasses import replace
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier import outgoing
from npms_notifier.domain import notices
from npms_notifier.domain.errors import TicketUnknown
from npms_notifier.domain.records import Conversation, Ticket, TicketMessage
from npms_notifier.domain.tickets import Author, TicketState, after_message
from npms_notifier.handlers.accounts import visible_account
from npms_notifier.handlers.context import Context
from npms_notifier.handlers.notify import queue_notice
from npms_notifier.storage import tickets
from npms_shared.auth.tokens import Principal
from npms_shared.db import audit_trail
from npms_shared.ids import new_id
from npms_shared.messaging import outbox


async def open_ticket(
    conn: AsyncConnection,
    context: Context,
    account_id: int,
    caller: Principal,
    *,
    subject: str,
    body: str,
) -> Conversation:
    """A question, in the customer's name also where an operator writes it down.

    Raises AccountUnknown.
    """
    account = await visible_account(conn, account_id, caller)
    ticket = Ticket(
        ticket_id=new_id(),
        account_id=account_id,
        customer_id=account.customer_id,
        subject=subject,
        state=TicketState.OPEN,
        opened_by=caller.subject,
        opened_at=context.clock.now(),
    )
    await tickets.add(conn, ticket)
    await _write(conn, context, ticket, caller, Author.CUSTOMER, body)
    await outbox.publish(conn, outgoing.ticket_opened(ticket), subject=str(account_id))
    await audit_trail.note(
        conn,
        caller.actor(),
        "ticket_opened",
        subject=f"ticket:{ticket.ticket_id}",
        now=ticket.opened_at,
        after={"account_id": account_id},
    )
    return await _conversation(conn, ticket)


async def write_ticket_message(
    conn: AsyncConnection, context: Context, ticket_id: UUID, caller: Principal, *, body: str
) -> Conversation:
    """An operator's message answers and goes to the customer's contacts; a customer's reopens.

    Raises TicketUnknown, TicketIsClosed.
    """
    ticket = await _visible_ticket(conn, ticket_id, caller, for_update=True)
    author = Author.OPERATOR if caller.is_staff() else Author.CUSTOMER
    state = after_message(ticket_id, ticket.state, author)
    message = await _write(conn, context, ticket, caller, author, body)
    await tickets.set_state(conn, ticket_id, state)
    if author is Author.OPERATOR:
        notice = notices.ticket_answered(subject=ticket.subject, answer=body)
        await queue_notice(
            conn, context, notice, account_id=ticket.account_id, message_id=message.message_id
        )
    await _note(conn, context, caller, "ticket_message_written", ticket, state)
    return await _conversation(conn, replace(ticket, state=state))


async def close_ticket(
    conn: AsyncConnection, context: Context, ticket_id: UUID, caller: Principal
) -> Conversation:
    """Closing what is closed changes nothing; raises TicketUnknown."""
    ticket = await _visible_ticket(conn, ticket_id, caller, for_update=True)
    if ticket.state is TicketState.CLOSED:
        return await _conversation(conn, ticket)
    at = context.clock.now()
    await tickets.close(conn, ticket_id, closed_by=caller.subject, closed_at=at)
    event = outgoing.ticket_closed(ticket, at=at)
    await outbox.publish(conn, event, subject=str(ticket.account_id))
    await _note(conn, context, caller, "ticket_closed", ticket, TicketState.CLOSED)
    closed = replace(ticket, state=TicketState.CLOSED, closed_by=caller.subject, closed_at=at)
    return await _conversation(conn, closed)


async def get_ticket(conn: AsyncConnection, ticket_id: UUID, caller: Principal) -> Conversation:
    """Raises TicketUnknown also where the ticket is not the caller's."""
    return await _conversation(conn, await _visible_ticket(conn, ticket_id, caller))


async def list_tickets(
    conn: AsyncConnection,
    caller: Principal,
    *,
    account_id: int | None = None,
    state: TicketState | None = None,
    before: UUID | None,
    most: int,
) -> list[Ticket]:
    """Newest first: staff sees all, a customer their own; raises AccountUnknown."""
    if account_id is not None:
        await visible_account(conn, account_id, caller)
    return await tickets.list_tickets(
        conn,
        account_id=account_id,
        customer_id=None if caller.is_staff() else caller.customer_id or 0,
        state=state,
        before=before,
        most=most,
    )


async def _write(
    conn: AsyncConnection,
    context: Context,
    ticket: Ticket,
    caller: Principal,
    author: Author,
    body: str,
) -> TicketMessage:
    message = TicketMessage(
        message_id=new_id(),
        ticket_id=ticket.ticket_id,
        author=author,
        written_by=caller.subject,
        body=body,
        written_at=context.clock.now(),
    )
    await tickets.write(conn, message)
    return message


async def _note(
    conn: AsyncConnection,
    context: Context,
    caller: Principal,
    action: str,
    ticket: Ticket,
    state: TicketState,
) -> None:
    """What was written is in the ticket, and nowhere else."""
    await audit_trail.note(
        conn,
        caller.actor(),
        action,
        subject=f"ticket:{ticket.ticket_id}",
        now=context.clock.now(),
        before={"state": ticket.state.value},
        after={"state": state.value},
    )


async def _visible_ticket(
    conn: AsyncConnection, ticket_id: UUID, caller: Principal, *, for_update: bool = False
) -> Ticket:
    ticket = await tickets.find(conn, ticket_id, for_update=for_update)
    if ticket is None or not caller.may_see(ticket.customer_id):
        raise TicketUnknown(ticket_id)
    return ticket


async def _conversation(conn: AsyncConnection, ticket: Ticket) -> Conversation:
    return Conversation(ticket, await tickets.messages_of(conn, ticket.ticket_id))
