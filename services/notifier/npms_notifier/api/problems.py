"""Which refusal is which problem."""

from npms_notifier.domain.errors import AccountUnknown, TicketIsClosed, TicketUnknown
from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import Problem, not_found

ERRORS: ErrorMap = {
    AccountUnknown: lambda _: not_found("account"),
    TicketUnknown: lambda _: not_found("ticket"),
    TicketIsClosed: lambda fault: Problem(
        409, fault.code, "The ticket is closed; please open a new one."
    ),
}
