"""The parts of a profile file that describe numbers."""

from collections.abc import Mapping
from fractions import Fraction
from typing import Literal

from pydantic import Field

from npms_meter_gateway.domain.point import BILLED, Group, NumberType, Order, Point, Ratio
from npms_meter_gateway.domain.profile import Probe
from npms_meter_gateway.profiles.fields import Block, DataId, Exact, Register


class NumberBlock(Block):
    """A number in registers; in a record `address` counts from its begin."""

    table: Literal["input", "holding"] = "holding"
    address: Register
    type: NumberType
    order: Order = Order.ABCD
    scale: Exact = Fraction(1)
    invalid: frozenset[int] = Field(default=frozenset(), description="raw: not available")


class PointBlock(NumberBlock):
    """`address` is a register's, or with `driver: dlt645` a data identifier."""

    address: DataId
    group: Group | None = Field(default=None, description="energy, power, voltage: billing")
    ratio: Ratio = "primary"
    minimum: Exact | None = None
    maximum: Exact | None = None


class ProbeBlock(NumberBlock):
    equals: frozenset[int] = Field(min_length=1, description="raw numbers of this device type")


def points_of(blocks: Mapping[str, NumberBlock]) -> dict[str, Point]:
    return {name: _point(name, block) for name, block in blocks.items()}


def probe_of(block: ProbeBlock) -> Probe:
    fields = dict(block)
    equals = fields.pop("equals")
    return Probe(Point("probe", **fields), equals)


def _point(name: str, block: NumberBlock) -> Point:
    fields = dict(block)
    if fields.get("group") is None:
        fields["group"] = Group.BILLING if name in BILLED else Group.SLOW
    return Point(name, **fields)
