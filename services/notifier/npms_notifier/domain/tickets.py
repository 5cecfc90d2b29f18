"""A customer's question: open until answered, open again when they ask back, then closed."""

from email.errors import HeaderParseError
from email.header import decode_header, make_header
from enum import StrEnum
from uuid import UUID

from npms_notifier.domain.errors import TicketIsClosed
from npms_shared.texts import is_readable_line, one_line


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


def plain_subject(text: str) -> str:
    """The subject as a mail program would show it: encoded words (RFC 2047) decoded.

    Raises ValueError where what is in them is not one readable line.
    """
    try:
        shown = str(make_header(decode_header(text)))
    except (LookupError, HeaderParseError, UnicodeError):
        raise ValueError("an encoded word that cannot be decoded") from None
    if not is_readable_line(shown):
        raise ValueError("an encoded word that hides something")
    return one_line(shown)
