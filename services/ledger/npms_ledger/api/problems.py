"""Which problem each refusal is on REST."""

from npms_ledger.domain.errors import EmergencyNotOffered, EmergencyTooSmall, PolicyError
from npms_ledger.handlers.errors import (
    AccountIsClosed,
    AccountUnknown,
    CurrencyMismatch,
    CustomerUnknown,
    MeterTaken,
    PlanUnknown,
    PolicyUnknown,
    ProfileUnknown,
)
from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import FieldError, Problem, not_found


def _unprocessable(code: str, pointer: str, fault: Exception) -> Problem:
    error = FieldError(pointer=pointer, code=code, message=str(fault))
    return Problem(422, code, str(fault), errors=[error])


def _mismatch(fault: CurrencyMismatch) -> Problem:
    return _unprocessable("currency_mismatch", "/currency", fault)


def _policy(fault: PolicyError) -> Problem:
    pointer = "/" + fault.field.replace(".", "/").replace("thresholds", "low_balance")
    return _unprocessable(f"policy_{fault.code}", pointer, fault)


ERRORS: ErrorMap = {
    AccountUnknown: lambda _fault: not_found("account"),
    PolicyUnknown: lambda fault: _unprocessable("unknown_credit_policy", "/credit_policy", fault),
    PlanUnknown: lambda fault: _unprocessable("unknown_plan", "/plan_code", fault),
    ProfileUnknown: lambda fault: _unprocessable("unknown_profile", "/meter/profile", fault),
    CustomerUnknown: lambda fault: _unprocessable("unknown_customer", "/customer_id", fault),
    CurrencyMismatch: _mismatch,
    PolicyError: _policy,
    MeterTaken: lambda fault: Problem(409, fault.code, str(fault)),
    AccountIsClosed: lambda fault: Problem(409, "account_closed", str(fault)),
    EmergencyNotOffered: lambda fault: Problem(409, "emergency_not_offered", str(fault)),
    EmergencyTooSmall: lambda fault: Problem(409, "emergency_too_small", str(fault)),
}
