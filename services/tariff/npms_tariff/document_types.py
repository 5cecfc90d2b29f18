"""How single values of a plan document are written: prices, quantities, names, times, days."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from npms_shared.money import MICRO, AmountError, format_amount, parse_amount
from npms_shared.web.schemas import CodedError

MOST_MICRO = 1_000_000 * MICRO
"""More a kWh or a day is a mistake, and a month of it no balance could hold."""
MOST_UNITS = 1_000_000_000
UNIT_MICRO = MICRO // 1000
"""A base unit is a thousandth of what prices are for."""
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,31}$")]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun", "hol"]
LocalTime = Annotated[
    str,
    Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$", examples=["06:00"]),
]
YearDay = Annotated[
    str,
    Field(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$", examples=["06-01"]),
]
Holiday = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{4}-)?(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
        description="MM-DD every year, or YYYY-MM-DD once",
        examples=["12-25"],
    ),
]
RatePpm = Annotated[
    int,
    Field(ge=0, le=10_000_000, description="parts per million: 160000 is 16 %", examples=[160_000]),
]
On = Annotated[
    list[str],
    Field(
        min_length=1,
        max_length=40,
        description="names of components computed before: `energy`, or those of fixed, demand, "
        "levies, discounts, `minimum`, taxes",
        examples=[["energy"]],
    ),
]
Classes = Annotated[
    list[Name],
    Field(max_length=40, description="customer classes; none named means everybody"),
]


def _price(text: str) -> str:
    micro = _amount(text, "price")
    if micro < 0:
        raise CodedError("negative_price", "a price is zero or more")
    if micro > MOST_MICRO:
        raise CodedError("price_too_large", f"a price is at most {MOST_MICRO // MICRO} units")
    return format_amount(micro)


def _units(text: str) -> str:
    micro = _amount(text, "quantity")
    if micro <= 0:
        raise CodedError("not_positive", "a quantity is above zero")
    if micro > MOST_UNITS * MICRO:
        raise CodedError("quantity_too_large", f"a quantity is at most {MOST_UNITS}")
    if micro % UNIT_MICRO:
        raise CodedError("too_many_decimals", "a quantity has at most three decimals")
    whole, thousandths = divmod(micro // UNIT_MICRO, 1000)
    return f"{whole}.{thousandths:03d}".rstrip("0").rstrip(".")


def _amount(text: str, what: str) -> int:
    try:
        return parse_amount(text)
    except AmountError as fault:
        raise CodedError(fault.code, f"{text!r} is no {what}: {fault.code}") from None


Price = Annotated[
    str,
    AfterValidator(_price),
    Field(
        description="currency units, at most six decimals",
        examples=["24.500000"],
        json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,6})?$"},
    ),
]
Units = Annotated[
    str,
    AfterValidator(_units),
    Field(
        description="kWh, or m³ of water or gas, at most three decimals",
        examples=["50"],
        json_schema_extra={"pattern": r"^[0-9]{1,15}(\.[0-9]{1,3}0*)?$"},
    ),
]
