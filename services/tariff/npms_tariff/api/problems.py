"""Domain errors as problem documents."""

from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import FieldError, Problem, not_found
from npms_tariff.domain.checking import InvalidPlan
from npms_tariff.domain.vending import CannotSell
from npms_tariff.handlers.errors import (
    AlreadyActivated,
    CorrectionDecided,
    DraftWithdrawn,
    HoldReleased,
    PlanExists,
    Refused,
    UnknownCorrection,
    UnknownHold,
    UnknownPlan,
)
from npms_tariff.handlers.explain_rating import UnknownInstallation
from npms_tariff.handlers.report_usage import UnknownAccount
from npms_tariff.handlers.simulate import UnderInvalid


def _invalid_plan(fault: InvalidPlan) -> Problem:
    place = "/under/document" if isinstance(fault, UnderInvalid) else "/document"
    errors = [
        FieldError(pointer=f"{place}{flaw.pointer}", code=flaw.code, message=flaw.detail)
        for flaw in fault.flaws
    ]
    return Problem(422, "invalid_plan", "The plan cannot rate; see errors.", errors=errors)


ERRORS: ErrorMap = {
    InvalidPlan: _invalid_plan,
    PlanExists: lambda fault: Problem(
        409, "plan_exists", f"{fault.plan_code!r} is there already; add a version to it."
    ),
    UnknownPlan: lambda _: not_found("plan or version"),
    AlreadyActivated: lambda _: Problem(
        409, "already_activated", "An activated version never changes; draft the next one."
    ),
    DraftWithdrawn: lambda _: Problem(
        409, "draft_withdrawn", "The draft was withdrawn; draft the next version."
    ),
    UnknownCorrection: lambda _: not_found("correction"),
    CorrectionDecided: lambda _: Problem(
        409, "correction_decided", "It was decided before; ask for another one."
    ),
    UnknownHold: lambda _: not_found("billing hold"),
    HoldReleased: lambda _: Problem(
        409, "hold_released", "The hold was released before; billing goes on."
    ),
    UnknownAccount: lambda _: not_found("account"),
    UnknownInstallation: lambda _: not_found("installation"),
    Refused: lambda fault: Problem(422, fault.code, fault.detail),
    CannotSell: lambda fault: Problem(422, fault.code, fault.detail),
}
