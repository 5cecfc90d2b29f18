"""Money is an integer of millionths of the currency unit; text is exact decimal, never a float."""

import re

MICRO = 1_000_000
MAX_MICRO = 10**15
"""A billion units: more in one amount is a mistake."""

_AMOUNT = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,6})?")
_CURRENCY = re.compile(r"[A-Z]{3}")


class AmountError(ValueError):
    """A text that is no amount; `code` says why."""

    def __init__(self, code: str, text: str) -> None:
        super().__init__(f"{code}: {text!r}")
        self.code, self.text = code, text


def parse_amount(text: str) -> int:
    """Micro-units of a decimal text with at most six decimals, e.g. "12.34" → 12_340_000."""
    if _AMOUNT.fullmatch(text) is None:
        decimals = text.partition(".")[2]
        code = "too_many_decimals" if decimals.isdigit() and len(decimals) > 6 else "not_an_amount"
        raise AmountError(code, text)
    whole, _, decimals = text.partition(".")
    magnitude = int(whole.lstrip("-")) * MICRO + int(decimals.ljust(6, "0") or "0")
    if magnitude > MAX_MICRO:
        raise AmountError("amount_too_large", text)
    return -magnitude if text.startswith("-") else magnitude


def format_amount(amount_micro: int) -> str:
    """Exact decimal text with six decimals: 12_340_000 → "12.340000"."""
    sign = "-" if amount_micro < 0 else ""
    whole, micro = divmod(abs(amount_micro), MICRO)
    return f"{sign}{whole}.{micro:06d}"


def is_currency(code: str) -> bool:
    """Whether the text has the form of an ISO 4217 code."""
    return _CURRENCY.fullmatch(code) is not None
