"""Numbers of a URDB rate: exact decimals in, plan amounts out."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from npms_tariff.importing.findings import CannotImport, Imported

MICRO = Decimal("0.000001")
MILLI = Decimal("0.001")


def number(value: Any, pointer: str) -> Decimal:
    """The value as it was written; raises CannotImport where it is no finite number."""
    try:
        made = Decimal(str(value))
    except InvalidOperation:
        made = Decimal("NaN")
    if not made.is_finite():
        raise CannotImport(pointer, f"{value!r} is no number")
    return made


def price(tier: Mapping[str, Any], pointer: str) -> Decimal:
    """What a unit costs in a tier: its rate and its adjustment together."""
    rate = number(tier.get("rate") or 0, f"{pointer}/rate")
    return rate + number(tier.get("adj") or 0, f"{pointer}/adj")


def amount(value: Decimal, pointer: str, made: Imported) -> str:
    """An amount of a plan; six decimals are the most it can have."""
    rounded = value.quantize(MICRO, ROUND_HALF_UP)
    if rounded != value:
        made.differs(pointer, f"{value.normalize():f} is rounded to {rounded}")
    return f"{rounded}"
