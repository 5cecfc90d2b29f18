"""Domain errors as problem documents."""

from npms_meter_gateway.domain.held import Unfit
from npms_meter_gateway.handlers.change_ratio import UnknownMeter
from npms_meter_gateway.handlers.decide_held import HeldDecided, UnknownHeld
from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import Problem, not_found

ERRORS: ErrorMap = {
    UnknownHeld: lambda _: not_found("held reading"),
    UnknownMeter: lambda _: not_found("meter"),
    HeldDecided: lambda _: Problem(
        409, "held_decided", "A person has decided of it before, and that stands."
    ),
    Unfit: lambda fault: Problem(409, fault.code, fault.detail),
}
