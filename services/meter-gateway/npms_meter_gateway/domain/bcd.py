"""Numbers of which every four bits are a decimal digit."""

from fractions import Fraction

from npms_meter_gateway.domain.point import Point


def decode_bcd(point: Point, raw: int) -> Fraction | None:
    """The value in the unit of the point's name; None where the digits are none, or say that there
    is no value. The highest bit of a signed one is its sign.
    """
    if raw in point.invalid:
        return None
    bits = 8 * point.type.octets
    sign = 1 << bits - 1
    is_negative = point.type.is_signed and bool(raw & sign)
    digits = f"{raw & ~sign if is_negative else raw:0{bits // 4}x}"
    if not digits.isdigit():
        return None
    value = int(digits) * point.scale
    return -value if is_negative else value
