"""Which refusal is which problem."""

import math

from npms_payments.domain.errors import (
    AccountIsClosed,
    AccountUnknown,
    AllocationWaits,
    AlreadyReceived,
    AmountRefused,
    BatchState,
    ExpiryRefused,
    NotFound,
    PartnerLimitReached,
    ProviderUnknown,
    RequestDecided,
    SuspenseClosed,
    VendRefused,
    VoucherLocked,
    VoucherMistyped,
    VoucherRefused,
    WrongCurrency,
)
from npms_payments.domain.webhooks import WebhookRefused
from npms_shared.money import format_amount
from npms_shared.web.app import ErrorMap
from npms_shared.web.problems import FieldError, Problem, not_found

_AMOUNT_WORDS = {
    "amount_zero": "The amount is zero.",
    "amount_negative": "The amount is negative.",
    "amount_above_limit": "The amount is above the limit",
}


def _amount(fault: AmountRefused) -> Problem:
    words = _AMOUNT_WORDS[fault.code]
    if fault.limit_micro is not None:
        words = f"{words} of {format_amount(fault.limit_micro)}."
    return Problem(422, fault.code, words)


_VEND_WORDS = {
    "below_minimum": "The least that may be bought is {}.",
    "above_maximum": "The most that may be bought at once is {}.",
    "balance_above_maximum": "The balance may not exceed {}.",
}


def _vend(fault: VendRefused) -> Problem:
    words = _VEND_WORDS[fault.code].format(format_amount(fault.limit_micro))
    if fault.room_micro is not None:
        words = f"{words} At most {format_amount(fault.room_micro)} may be bought now."
    error = FieldError(pointer="/amount", code=fault.code, message=words)
    return Problem(422, fault.code, words, errors=[error])


def _partner(fault: PartnerLimitReached) -> Problem:
    limit, left = format_amount(fault.limit_micro), format_amount(fault.left_micro)
    words = f"A partner may sell {limit} a day; {left} is left of today."
    error = FieldError(pointer="/amount", code=fault.code, message=words)
    return Problem(422, fault.code, words, errors=[error])


_BATCH_WORDS = {
    "batch_not_printed": "The batch has not been printed: it has no vouchers yet.",
    "batch_printed": "The batch was printed before; its PINs are shown once.",
    "batch_active": "The batch is active already.",
    "batch_rejected": "The batch was rejected; make another.",
}


def _currency(fault: WrongCurrency) -> Problem:
    return Problem(422, fault.code, f"The account is in {fault.expected}, not in {fault.given}.")


def _locked(fault: VoucherLocked) -> Problem:
    wait_s = math.ceil(fault.retry_after.total_seconds())
    return Problem(
        429,
        fault.code,
        f"Too many wrong vouchers; try again in {wait_s} seconds.",
        headers={"Retry-After": str(wait_s)},
    )


def _already(fault: AlreadyReceived) -> Problem:
    return Problem(
        409, fault.code, f"{fault.source} payment {fault.reference!r} was recorded before."
    )


ERRORS: ErrorMap = {
    AmountRefused: _amount,
    VendRefused: _vend,
    PartnerLimitReached: _partner,
    WrongCurrency: _currency,
    AccountUnknown: lambda _: not_found("account"),
    NotFound: lambda fault: not_found(fault.what),
    AccountIsClosed: lambda fault: Problem(409, fault.code, "The account is closed."),
    ProviderUnknown: lambda fault: Problem(
        422, fault.code, f"No provider {fault.provider!r} is set up."
    ),
    VoucherMistyped: lambda fault: Problem(
        422, fault.code, "These digits cannot be a voucher: look at them again."
    ),
    VoucherRefused: lambda fault: Problem(422, fault.code, "This voucher cannot be redeemed."),
    VoucherLocked: _locked,
    BatchState: lambda fault: Problem(409, fault.code, _BATCH_WORDS[fault.code]),
    AllocationWaits: lambda fault: Problem(
        409, fault.code, "Somebody asked to allocate or return it; decide about that first."
    ),
    RequestDecided: lambda fault: Problem(409, fault.code, f"It was {fault.state} before."),
    ExpiryRefused: lambda fault: Problem(422, fault.code, "The batch would expire at once."),
    SuspenseClosed: lambda fault: Problem(409, fault.code, f"This money was {fault.state} before."),
    AlreadyReceived: _already,
    WebhookRefused: lambda fault: Problem(
        401, f"webhook_{fault.code}", f"The webhook was refused: {fault}."
    ),
}
