"""Amounts and energy as the REST interfaces write them."""

from decimal import Decimal
from typing import Any

MICRO = 1_000_000


def money(amount: str, currency: str = "KES") -> dict[str, str]:
    return {"amount": amount, "currency": currency}


def micro(money: dict[str, Any]) -> int:
    """What an amount is in millionths."""
    return int(Decimal(money["amount"]) * MICRO)


def kwh(value: str) -> dict[str, str]:
    return {"value": value}
