"""Shapes that every REST interface shares: ids, money, energy."""

from decimal import Decimal, InvalidOperation
from typing import Annotated

from fastapi import Path, Query
from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from npms_shared.money import AmountError, format_amount, is_currency, parse_amount

MAX_ID = 2**63 - 1
PathId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
"""An account's, installation's or customer's number in a path."""
FilterId = Annotated[int | None, Query(ge=1, le=MAX_ID, description="only what is of this one")]


class CodedError(ValueError):
    """A wrong value with a code of its own in the problem document."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Schema(BaseModel):
    """Requests refuse fields they do not know; nothing is lost by a typing mistake."""

    model_config = ConfigDict(extra="forbid")


def _amount(text: str) -> str:
    try:
        parse_amount(text)
    except AmountError as fault:
        raise CodedError(fault.code, f"{text!r} is no amount: {fault.code}") from None
    return text


def _currency(code: str) -> str:
    if not is_currency(code):
        raise CodedError("unknown_currency", f"{code!r} is no ISO 4217 code")
    return code


Amount = Annotated[str, AfterValidator(_amount)]
"""Decimal text in currency units, with at most six decimals."""
Currency = Annotated[str, AfterValidator(_currency)]
"""An ISO 4217 code."""


class Money(Schema):
    """An exact amount: decimal text with at most six decimals, never a float."""

    amount: Amount = Field(examples=["12.340000"])
    currency: Currency = Field(examples=["KES"])

    @property
    def micro(self) -> int:
        return parse_amount(self.amount)

    @classmethod
    def of(cls, amount_micro: int, currency: str) -> "Money":
        return cls(amount=format_amount(amount_micro), currency=currency)


def _kwh(text: str) -> str:
    try:
        value = Decimal(text)
    except InvalidOperation:
        raise CodedError("not_a_number", f"{text!r} is no number") from None
    if not value.is_finite() or value * 1000 != (value * 1000).to_integral_value():
        raise CodedError("too_many_decimals", "energy has at most three decimals of a kWh")
    return text


class Energy(Schema):
    """An exact amount of energy in kWh, to the watt-hour."""

    value: Annotated[str, AfterValidator(_kwh)] = Field(examples=["1.250"])
    unit: str = Field(default="kWh", pattern="^kWh$")

    @property
    def wh(self) -> int:
        return int(Decimal(self.value) * 1000)

    @classmethod
    def of(cls, energy_wh: int) -> "Energy":
        return cls(value=f"{Decimal(energy_wh) / 1000:.3f}")
