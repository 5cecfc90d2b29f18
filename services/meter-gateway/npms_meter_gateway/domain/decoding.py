"""From registers to exact numbers: no float ever takes part in an energy."""

import math
import struct
from collections.abc import Sequence
from decimal import Context, Decimal, Inexact
from fractions import Fraction
from typing import Literal

from npms_meter_gateway.domain.point import NumberType, Point

_FORMATS = {
    NumberType.U16: ">H",
    NumberType.S16: ">h",
    NumberType.U32: ">I",
    NumberType.S32: ">i",
    NumberType.U64: ">Q",
    NumberType.S64: ">q",
    NumberType.F32: ">f",
    NumberType.F64: ">d",
}


EXACT = Context(prec=60, traps=[Inexact])
"""More digits than any number of a meter has."""


def decode(point: Point, registers: Sequence[int]) -> Fraction | None:
    """The point's exact value in the unit of its name; None where the meter has none.

    `registers` are the point's own, in the order they were read. NaN, infinities
    and the profile's invalid patterns mean "not available", never zero.
    """
    raw = raw_bytes(point, registers)
    if int.from_bytes(raw, "big") in point.invalid:
        return None
    (number,) = struct.unpack(_FORMATS[point.type], raw)
    if isinstance(number, float) and not math.isfinite(number):
        return None
    return Fraction(number) * point.scale


def raw_bytes(point: Point, registers: Sequence[int]) -> bytes:
    """The point's bytes, the highest first."""
    words = reversed(registers) if point.order.low_register_first else registers
    endian: Literal["big", "little"] = "little" if point.order.swaps_bytes else "big"
    return b"".join(word.to_bytes(2, endian) for word in words)


def text_of(value: Fraction) -> str:
    """The exact value for people: as a decimal where it is one, else as a fraction."""
    try:
        return f"{EXACT.divide(Decimal(value.numerator), Decimal(value.denominator)):f}"
    except Inexact:
        return str(value)


def whole(value: Fraction) -> int:
    """The integer at or below a value.

    A cumulative register is cut down to the Wh, so that what was read never
    exceeds what was counted and differences of two readings still telescope.
    """
    return math.floor(value)
