"""A customer's question: open until answered, open again when they ask back, then closed."""

from enum import StrEnum
from uuid import UUID

from npms_notifier.domain.errors import TicketIsClosed


class TicketState(StrEnum):
    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


class Author(StrEnum):
    CUSTOMER = "customer"
    OPERATOR = "operator"


def after_message(ticket_id: UUID, state: TicketState, author: Author) -> TicketState:
    """The state once `author` wrote; raises TicketIsClosed."""
    if state is TicketState.CLOSED:
        raise TicketIsClosed(ticket_id)
    return TicketState.ANSWERED if author is Author.OPERATOR else TicketState.OPEN
