"""Shapes that every REST interface shares: money, energy, pages."""

import base64
import json
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any, Generic, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from npms_shared.money import AmountError, format_amount, is_currency, parse_amount
from npms_shared.web.problems import Problem

T = TypeVar("T")


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


class Money(Schema):
    """An exact amount: decimal text with at most six decimals, never a float."""

    amount: Annotated[str, AfterValidator(_amount)] = Field(examples=["12.340000"])
    currency: Annotated[str, AfterValidator(_currency)] = Field(examples=["KES"])

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


class Page(BaseModel, Generic[T]):
    """A part of a list; `next_cursor` continues it, null at its end."""

    items: list[T]
    next_cursor: str | None = None


def encode_cursor(*position: Any) -> str:
    """An opaque cursor of JSON values, datetimes as ISO text."""
    values = [v.isoformat() if isinstance(v, datetime) else v for v in position]
    raw = json.dumps(values, default=str).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def decode_cursor(cursor: str | None) -> list[Any] | None:
    """The position in a cursor; a Problem 422 when it was not made by `encode_cursor`."""
    if cursor is None:
        return None
    try:
        position = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except ValueError:
        position = None
    if not isinstance(position, list):
        raise Problem(422, "bad_cursor", "The cursor was not given by this interface.")
    return position
