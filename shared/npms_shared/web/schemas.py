"""Shapes that every REST interface shares: ids, money, energy."""

import re
from datetime import datetime
from decimal import Decimal
from types import NoneType
from typing import Annotated, Any, get_args, get_origin

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    field_validator,
)

from npms_shared.money import AmountError, format_amount, is_currency, parse_amount
from npms_shared.texts import is_readable_line, is_text, normalized, one_line
from npms_shared.zones import is_zone

MAX_WH = 2**63 - 1
MAX_ID = MAX_WH - 1
"""So that the one after it still is a number of the database."""
FIRST_YEAR, LAST_YEAR = 1971, 2200
_INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ][0-9]{2}:[0-9]{2}")
_ENERGY = re.compile(r"-?[0-9]{1,16}(\.[0-9]{1,9})?")
PathId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
"""An account's, installation's or customer's number in a path."""
FilterId = Annotated[int | None, Query(ge=1, le=MAX_ID, description="only what is of this one")]


AMOUNT = r"-?[0-9]{1,15}(\.[0-9]{1,6})?"
CURRENCY = "[A-Z]{3}"
KWH = r"-?[0-9]{1,16}(\.[0-9]{1,3}0{0,6})?"


class CodedError(ValueError):
    """A wrong value with a code of its own in the problem document."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


class Schema(BaseModel):
    """Requests refuse fields they do not know; nothing is lost by a typing mistake."""

    model_config = ConfigDict(extra="forbid")

    @field_validator("*", mode="before")
    @classmethod
    def _is_text(cls, value: Any, info: ValidationInfo) -> Any:
        """Every text in composed form; no column holds U+0000 or half a character."""
        assert info.field_name is not None
        if isinstance(value, str):
            return _whole(value)
        if isinstance(value, list):
            return [_whole(one) if isinstance(one, str) else one for one in value]
        if isinstance(value, dict) and _is_free(cls.model_fields[info.field_name].annotation):
            _check_inside(value)
        return value

    @field_validator("*", mode="before")
    @classmethod
    def _is_of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        """Else `true` would be read as the number 1, and "1" too."""
        assert info.field_name is not None
        kind = cls.model_fields[info.field_name].annotation
        kinds = {kind, *get_args(kind)}
        if isinstance(value, bool) and bool not in kinds:
            raise CodedError("unexpected_boolean", "true and false say nothing here")
        if isinstance(value, str) and kinds <= {int, bool, NoneType}:
            raise CodedError("unexpected_text", "expected a number or a truth value without quotes")
        return value


def _described(pattern: str) -> Any:
    """For what is checked with codes of its own: OpenAPI tells its form all the same."""
    return Field(json_schema_extra={"pattern": f"^{pattern}$"})


def _whole(text: str) -> str:
    if not is_text(text):
        raise CodedError(
            "unreadable_text", "control characters, turned directions and half characters are none"
        )
    return normalized(text)


def _is_free(annotation: Any) -> bool:
    """Whether a field takes any JSON object: no schema of ours looks at what is inside."""
    return annotation is Any or dict in {get_origin(a) for a in (annotation, *get_args(annotation))}


def _check_inside(document: Any) -> None:
    waiting = [document]
    while waiting:
        match waiting.pop():
            case dict() as inner:
                waiting.extend((*inner.keys(), *inner.values()))
            case list() as inner:
                waiting.extend(inner)
            case str() as text:
                _whole(text)


def _line(text: str) -> str:
    if not is_readable_line(text):
        raise CodedError("unreadable_text", "every character of a name must be seen")
    return one_line(text)


def _zone(name: str) -> str:
    if not is_zone(name):
        raise CodedError("unknown_time_zone", f"{name[:60]!r} is no region of the IANA data base")
    return name


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


Line = Annotated[
    str,
    StringConstraints(
        strip_whitespace=True, min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$"
    ),
    AfterValidator(_line),
]
"""A name, label, reference or a few words: one line, of which every character is seen."""
Reason = Annotated[Line, StringConstraints(min_length=3)]
"""Why somebody decides so: a line that stays on record."""
Zone = Annotated[str, AfterValidator(_zone)]
"""A region of the IANA data base, or UTC."""
Amount = Annotated[str, AfterValidator(_amount), _described(AMOUNT)]
"""Decimal text in currency units, with at most six decimals."""
Currency = Annotated[str, AfterValidator(_currency), _described(CURRENCY)]
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


def _reasonable(at: datetime) -> datetime:
    if not FIRST_YEAR <= at.year <= LAST_YEAR:
        raise CodedError("unlikely_time", f"expected a year from {FIRST_YEAR} to {LAST_YEAR}")
    return at


def _written(given: Any) -> Any:
    """Else a number would be read as seconds since 1970."""
    if not isinstance(given, datetime) and not _INSTANT.match(str(given)):
        raise CodedError("not_a_time", "expected date, time and offset, e.g. 2026-11-02T08:15:00Z")
    return given


Instant = Annotated[AwareDatetime, BeforeValidator(_written), AfterValidator(_reasonable)]
"""A time with its offset from UTC, in years that somebody may have meant."""


def _kwh(text: str) -> str:
    if _ENERGY.fullmatch(text) is None:
        raise CodedError("not_a_number", f"{text!r} is no number of kWh")
    energy_wh = Decimal(text) * 1000
    if energy_wh != energy_wh.to_integral_value():
        raise CodedError("too_many_decimals", "energy has at most three decimals of a kWh")
    if abs(energy_wh) > MAX_WH:
        raise CodedError("energy_too_large", f"{text} kWh is more than any register counts")
    return text


class ReasonRequest(Schema):
    """Why somebody decides so."""

    reason: Reason = Field(examples=["Seen and agreed with the site."])


class Energy(Schema):
    """An exact amount of energy in kWh, to the watt-hour."""

    value: Annotated[str, AfterValidator(_kwh), _described(KWH)] = Field(examples=["1.250"])
    unit: str = Field(default="kWh", pattern="^kWh$")

    @property
    def wh(self) -> int:
        return int(Decimal(self.value) * 1000)

    @classmethod
    def of(cls, energy_wh: int) -> "Energy":
        return cls(value=f"{Decimal(energy_wh) / 1000:.3f}")
