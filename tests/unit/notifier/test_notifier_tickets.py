import pytest

from npms_notifier.domain.errors import TicketIsClosed
from npms_notifier.domain.tickets import Author, TicketState, after_message
from npms_shared.ids import new_id


@pytest.mark.parametrize("state", [TicketState.OPEN, TicketState.ANSWERED])
def test_whoever_wrote_last_decides_who_is_waited_for(state: TicketState) -> None:
    assert after_message(new_id(), state, Author.OPERATOR) is TicketState.ANSWERED
    assert after_message(new_id(), state, Author.CUSTOMER) is TicketState.OPEN


@pytest.mark.parametrize("author", Author)
def test_nothing_is_written_in_a_closed_ticket(author: Author) -> None:
    ticket_id = new_id()
    with pytest.raises(TicketIsClosed) as refused:
        after_message(ticket_id, TicketState.CLOSED, author)
    assert refused.value.ticket_id == ticket_id
