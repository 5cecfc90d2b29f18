"""Which problem each refusal is on REST."""

from npms_ledger.domain.errors import (
    EmergencyNotOffered,
    EmergencyTooSmall,
    PolicyError,
    TermsError,
)
from npms_ledger.handlers.errors import (
    AccountIsClosed,
    AccountUnknown,
    CurrencyMismatch,
    CustomerUnknown,
    DebtUnknown,
    EndsTooEarly,
    GrantUnknown,
    MassCutDecided,
    MassCutUnknown,
    MeterTaken,
    MeterUnfit,
    NotInFuture,
    NotKeptOn,
    PlanUnfit,
    PlanUnknown,
    PolicyUnknown,
    ProfileUnknown,
    TaskDone,
    TaskUnknown,
)
from npms_ledger.handlers.explain_errors import DecisionUnknown, NoStatement, PostingUnknown
from npms_ledger.handlers.installation_errors import (
    FinalChargePending,
    InstallationIsClosed,
    InstallationUnknown,
    NotRefundable,
    RefundPaidBefore,
    RefundUnknown,
    RegisterBelowBilled,
    UsagePointOccupied,
    UsagePointUnknown,
)
from npms_ledger.handlers.money_errors import (
    NotEnoughCredit,
    NotMovable,
    PaymentUnknown,
    RequestDecided,
    RequestUnknown,
    SameAccount,
)
from npms_shared.money import format_amount
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


def _not_enough(fault: NotEnoughCredit) -> Problem:
    words = (
        f"Account {fault.account_id} can give at most {format_amount(fault.movable_micro)}: "
        "what was paid into it, and is neither used nor owed."
    )
    return Problem(409, "not_enough_credit", words)


_NOT_MOVABLE = {
    "payment_not_credited": "The payment was not credited to any account.",
    "payment_reversed": "The payment was reversed; there is nothing of it to move.",
    "already_reallocated": "The payment was reallocated before, or somebody asked for it.",
    "nothing_left": "Nothing of the payment is left on the balance: it was spent.",
}


_NOT_REFUNDABLE = {
    "account_open": "The account is open: move out first.",
    "refund_exists": "What remained was made payable before, and nothing has come since.",
    "nothing_to_refund": "Nothing remains once debt and emergency credit are settled.",
}


def _terms(fault: TermsError) -> Problem:
    return _unprocessable(f"terms_{fault.code}", f"/{fault.field}", fault)


ERRORS: ErrorMap = {
    InstallationUnknown: lambda _fault: not_found("installation"),
    InstallationIsClosed: lambda fault: Problem(409, "installation_closed", str(fault)),
    RegisterBelowBilled: lambda fault: Problem(422, "register_below_billed", str(fault)),
    UsagePointUnknown: lambda fault: _unprocessable(
        "unknown_usage_point", "/usage_point_id", fault
    ),
    UsagePointOccupied: lambda fault: Problem(409, "usage_point_occupied", str(fault)),
    FinalChargePending: lambda fault: Problem(409, "final_charge_pending", f"{fault}: try later."),
    NotRefundable: lambda fault: Problem(409, fault.code, _NOT_REFUNDABLE[fault.code]),
    RefundUnknown: lambda _fault: not_found("refund"),
    RefundPaidBefore: lambda fault: Problem(409, "refund_paid", str(fault)),
    RequestUnknown: lambda _fault: not_found("money request"),
    PaymentUnknown: lambda _fault: not_found("payment"),
    RequestDecided: lambda fault: Problem(409, "request_decided", str(fault)),
    SameAccount: lambda fault: _unprocessable("same_account", "/to_account_id", fault),
    NotEnoughCredit: _not_enough,
    NotMovable: lambda fault: Problem(409, fault.code, _NOT_MOVABLE[fault.code]),
    AccountUnknown: lambda _fault: not_found("account"),
    PostingUnknown: lambda _fault: not_found("posting"),
    NoStatement: lambda fault: Problem(404, "no_statement", str(fault)),
    DecisionUnknown: lambda _fault: not_found("decision about the supply"),
    PolicyUnknown: lambda fault: _unprocessable("unknown_credit_policy", "/credit_policy", fault),
    PlanUnknown: lambda fault: _unprocessable("unknown_plan", "/plan_code", fault),
    PlanUnfit: lambda fault: _unprocessable(fault.code, "/plan_code", fault),
    MeterUnfit: lambda fault: _unprocessable(fault.code, f"/meter/{fault.field}", fault),
    ProfileUnknown: lambda fault: _unprocessable("unknown_profile", "/meter/profile", fault),
    CustomerUnknown: lambda fault: _unprocessable("unknown_customer", "/customer_id", fault),
    CurrencyMismatch: _mismatch,
    PolicyError: _policy,
    TermsError: _terms,
    DebtUnknown: lambda fault: Problem(404, "debt_unknown", str(fault)),
    GrantUnknown: lambda fault: Problem(404, "grant_unknown", str(fault)),
    EndsTooEarly: lambda fault: _unprocessable("ends_too_early", "/ends_at", fault),
    MeterTaken: lambda fault: Problem(409, fault.code, str(fault)),
    AccountIsClosed: lambda fault: Problem(409, "account_closed", str(fault)),
    EmergencyNotOffered: lambda fault: Problem(409, "emergency_not_offered", str(fault)),
    NotInFuture: lambda fault: _unprocessable("not_in_future", f"/{fault.field}", fault),
    NotKeptOn: lambda fault: Problem(409, "not_kept_on", str(fault)),
    TaskUnknown: lambda _fault: not_found("review task"),
    TaskDone: lambda fault: Problem(409, "task_done", str(fault)),
    MassCutUnknown: lambda _fault: not_found("mass cut"),
    MassCutDecided: lambda fault: Problem(409, "mass_cut_decided", str(fault)),
    EmergencyTooSmall: lambda fault: Problem(409, "emergency_too_small", str(fault)),
}
