"""Which refusal is which problem."""

import math

from npms_notifier.domain.errors import (
    AccountUnknown,
    AlreadyVerified,
    CodeExpired,
    CodeSentRecently,
    ContactUnknown,
    TicketIsClosed,
    TicketUnknown,
    WrongCode,
)
from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import Problem, not_found

ERRORS: ErrorMap = {
    AccountUnknown: lambda _: not_found("account"),
    ContactUnknown: lambda _: not_found("contact"),
    AlreadyVerified: lambda fault: Problem(409, fault.code, "There is nothing to be verified."),
    WrongCode: lambda fault: Problem(409, fault.code, "This is not the code that was sent."),
    CodeExpired: lambda fault: Problem(
        409, fault.code, "No code can be entered now; please ask for another one."
    ),
    CodeSentRecently: lambda fault: Problem(
        429,
        fault.code,
        "A code was sent already; another one may be sent later.",
        headers={"Retry-After": str(math.ceil(fault.wait.total_seconds()))},
    ),
    TicketUnknown: lambda _: not_found("ticket"),
    TicketIsClosed: lambda fault: Problem(
        409, fault.code, "The ticket is closed; please open a new one."
    ),
}
