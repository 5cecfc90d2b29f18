"""Which amounts may be paid at all."""

from npms_payments.domain.errors import AmountRefused, WrongCurrency


def check_amount(amount_micro: int, *, limit_micro: int) -> None:
    """Raise AmountRefused unless 0 < amount ≤ limit, both in micro-units."""
    if amount_micro == 0:
        raise AmountRefused("amount_zero", amount_micro=amount_micro)
    if amount_micro < 0:
        raise AmountRefused("amount_negative", amount_micro=amount_micro)
    if amount_micro > limit_micro:
        raise AmountRefused(
            "amount_above_limit", amount_micro=amount_micro, limit_micro=limit_micro
        )


def check_currency(given: str, *, expected: str) -> None:
    if given != expected:
        raise WrongCurrency(given=given, expected=expected)
