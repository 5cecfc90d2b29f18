import pytest
from pydantic import ValidationError

from npms_notifier.api.schemas import TicketRequest
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


@pytest.mark.parametrize(
    "subject",
    ["=?utf-8?q?a=0D=0ABcc=3A_x=40y.org?=", "=?utf-8?q?a=E2=80=AEb?=", "=?nowhere?q?a?="],
)
def test_a_subject_that_hides_lines_in_an_encoded_word_is_refused(subject: str) -> None:
    with pytest.raises(ValidationError):
        TicketRequest.model_validate({"subject": subject, "body": "Why?"})


def test_a_subject_is_kept_as_it_is_shown() -> None:
    request = {"subject": "=?utf-8?q?Kwa_nini=3F?= mara mbili", "body": "Why?"}
    assert TicketRequest.model_validate(request).subject == "Kwa nini? mara mbili"
