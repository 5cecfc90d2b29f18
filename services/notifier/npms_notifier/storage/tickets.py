"""Tickets and what was written in them."""

from datetime import datetime
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_notifier.domain.records import Ticket, TicketMessage
from npms_notifier.domain.tickets import Author, TicketState

_ADD = text(
    """
    INSERT INTO ticket (ticket_id, account_id, subject, state, opened_by, opened_at)
    VALUES (:ticket_id, :account_id, :subject, :state, :opened_by, :opened_at)
    """
)
_WRITE = text(
    """
    INSERT INTO ticket_message (message_id, ticket_id, author, written_by, body, written_at)
    VALUES (:message_id, :ticket_id, :author, :written_by, :body, :written_at)
    """
)
_COLUMNS = """
    SELECT ticket_id, account_id, customer_id, subject, state, opened_by, ticket.opened_at,
           closed_by, ticket.closed_at
    FROM ticket JOIN account USING (account_id)
    """
_FIND = text(_COLUMNS + "WHERE ticket_id = :ticket_id")
_LOCK = text(_COLUMNS + "WHERE ticket_id = :ticket_id FOR UPDATE OF ticket")
_LIST = text(
    _COLUMNS
    + """
    WHERE (CAST(:account_id AS bigint) IS NULL OR account_id = CAST(:account_id AS bigint))
      AND (CAST(:customer_id AS bigint) IS NULL OR customer_id = CAST(:customer_id AS bigint))
      AND (CAST(:state AS text) IS NULL OR state = CAST(:state AS text))
      AND (CAST(:before AS uuid) IS NULL OR ticket_id < CAST(:before AS uuid))
    ORDER BY ticket_id DESC LIMIT :most
    """
)
_MESSAGES = text(
    """
    SELECT message_id, ticket_id, author, written_by, body, written_at
    FROM ticket_message WHERE ticket_id = :ticket_id ORDER BY message_id
    """
)
_SET_STATE = text("UPDATE ticket SET state = :state WHERE ticket_id = :ticket_id")
_CLOSE = text(
    """
    UPDATE ticket SET state = 'closed', closed_by = :closed_by, closed_at = :closed_at
    WHERE ticket_id = :ticket_id
    """
)


async def add(conn: AsyncConnection, ticket: Ticket) -> None:
    await conn.execute(
        _ADD,
        {
            "ticket_id": ticket.ticket_id,
            "account_id": ticket.account_id,
            "subject": ticket.subject,
            "state": ticket.state.value,
            "opened_by": ticket.opened_by,
            "opened_at": ticket.opened_at,
        },
    )


async def write(conn: AsyncConnection, message: TicketMessage) -> None:
    await conn.execute(
        _WRITE,
        {
            "message_id": message.message_id,
            "ticket_id": message.ticket_id,
            "author": message.author.value,
            "written_by": message.written_by,
            "body": message.body,
            "written_at": message.written_at,
        },
    )


async def find(
    conn: AsyncConnection, ticket_id: UUID, *, for_update: bool = False
) -> Ticket | None:
    query = _LOCK if for_update else _FIND
    row = (await conn.execute(query, {"ticket_id": ticket_id})).first()
    return _ticket(row) if row else None


async def list_tickets(
    conn: AsyncConnection,
    *,
    account_id: int | None,
    customer_id: int | None,
    state: TicketState | None,
    before: UUID | None,
    most: int,
) -> list[Ticket]:
    """Newest first, those older than `before`; None asks for no restriction."""
    rows = await conn.execute(
        _LIST,
        {
            "account_id": account_id,
            "customer_id": customer_id,
            "state": state.value if state else None,
            "before": before,
            "most": most,
        },
    )
    return [_ticket(row) for row in rows]


async def messages_of(conn: AsyncConnection, ticket_id: UUID) -> list[TicketMessage]:
    """Oldest first."""
    rows = await conn.execute(_MESSAGES, {"ticket_id": ticket_id})
    return [TicketMessage(**{**r._mapping, "author": Author(r.author)}) for r in rows]


async def set_state(conn: AsyncConnection, ticket_id: UUID, state: TicketState) -> None:
    await conn.execute(_SET_STATE, {"ticket_id": ticket_id, "state": state.value})


async def close(
    conn: AsyncConnection, ticket_id: UUID, *, closed_by: str, closed_at: datetime
) -> None:
    values = {"ticket_id": ticket_id, "closed_by": closed_by, "closed_at": closed_at}
    await conn.execute(_CLOSE, values)


def _ticket(row: Row[tuple[object, ...]]) -> Ticket:
    return Ticket(**{**row._mapping, "state": TicketState(row.state)})
