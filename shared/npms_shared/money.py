"""Money is an integer of millionths of the currency unit; text is exact decimal, never a float."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

MICRO = 1_000_000
MAX_MICRO = 10**15
"""A billion units: more in one amount is a mistake."""
ANY_CURRENCY = "*"

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


@dataclass(frozen=True, slots=True)
class AmountsByCurrency:
    """Micro-units that are never negative, by currency; `*` is every other one."""

    by_currency: Mapping[str, int]

    @classmethod
    def parse(cls, amounts: Mapping[str, str]) -> "AmountsByCurrency":
        """From currency units, as settings give them. Raises ValueError with what is wrong."""
        return cls({currency: _not_negative(currency, text) for currency, text in amounts.items()})

    def of(self, currency: str) -> int:
        return self.by_currency.get(currency, self.by_currency.get(ANY_CURRENCY, 0))


def _not_negative(currency: str, text: str) -> int:
    if currency != ANY_CURRENCY and not is_currency(currency):
        raise ValueError(f"{currency!r} is no ISO 4217 code")
    try:
        micro = parse_amount(text)
    except AmountError as fault:
        raise ValueError(f"{text!r} is no amount: {fault.code}") from None
    if micro < 0:
        raise ValueError(f"{text} is negative")
    return micro
