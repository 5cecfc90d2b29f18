"""One number of a meter: where it stands and in what form."""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from typing import Literal

from npms_meter_gateway.domain.relay import Table

ENERGY = "energy_import_wh"
POWER = "power_w"
VOLTAGE = "voltage_v"
FREQUENCY = "frequency_hz"
CT_RATIO = "ct_ratio"
PT_RATIO = "pt_ratio"
SERIAL = "serial_number"

Ratio = Literal["primary", "ct", "pt", "ct_pt"]
"""By whose ratio a value is still to be multiplied: current transformers, voltage ones, both."""

CANONICAL = frozenset(
    {
        ENERGY, POWER, VOLTAGE, "energy_export_wh", "energy_total_wh", "energy_import_t1_wh",
        "energy_import_t2_wh", "energy_import_t3_wh", "energy_import_t4_wh", "voltage_l2_v",
        "voltage_l3_v", "current_a", "current_l2_a", "current_l3_a", "power_l1_w", "power_l2_w",
        "power_l3_w", "power_factor", FREQUENCY, SERIAL, CT_RATIO, PT_RATIO,
    }
)  # fmt: skip
"""Every name a point may have; the unit is in the name."""

BILLED = frozenset({ENERGY, POWER, VOLTAGE})
"""Read for every bill unless the profile says otherwise."""


class Group(StrEnum):
    """How often a point is wanted: for billing, more often where someone watches, or seldom."""

    BILLING = "billing"
    FAST = "fast"
    SLOW = "slow"


class NumberType(StrEnum):
    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"
    BCD16 = "bcd16"
    BCD24 = "bcd24"
    BCD32 = "bcd32"
    SBCD16 = "sbcd16"
    SBCD24 = "sbcd24"

    @property
    def octets(self) -> int:
        return int(self.value[-2:]) // 8

    @property
    def is_float(self) -> bool:
        return self in {NumberType.F32, NumberType.F64}

    @property
    def registers(self) -> int:
        """How many 16-bit registers a number takes."""
        return self.octets // 2

    @property
    def is_bcd(self) -> bool:
        """Four bits a decimal digit: what DL/T 645 has, and Modbus has not."""
        return "bcd" in self.value

    @property
    def is_signed(self) -> bool:
        return self.value.startswith("s")


class Order(StrEnum):
    """Where the bytes ABCD of a number stand, A being the highest.

    `cdab` has the low register first, `badc` swaps the bytes of each register, `dcba` does both.
    Of 8 bytes the same is meant.
    """

    ABCD = "abcd"
    CDAB = "cdab"
    BADC = "badc"
    DCBA = "dcba"

    def twisted(self, by: "Order") -> "Order":
        """This order where what carries the bytes also twists them as `by` does."""
        low_first = self.low_register_first != by.low_register_first
        swaps = self.swaps_bytes != by.swaps_bytes
        return {
            (False, False): Order.ABCD,
            (True, False): Order.CDAB,
            (False, True): Order.BADC,
            (True, True): Order.DCBA,
        }[low_first, swaps]

    @property
    def low_register_first(self) -> bool:
        return self in {Order.CDAB, Order.DCBA}

    @property
    def swaps_bytes(self) -> bool:
        return self in {Order.BADC, Order.DCBA}


@dataclass(frozen=True, slots=True)
class Point:
    """`scale` times the raw number is in the unit of `name`.

    `invalid` holds raw bit patterns by which the meter says "not available". A right value lies
    between `minimum` and `maximum`, where they are known: outside of them somebody should look.
    `ratio` is "primary" for a value that needs no transformer's ratio any more.
    """

    name: str
    table: Table
    address: int
    type: NumberType
    scale: Fraction
    order: Order = Order.ABCD
    invalid: frozenset[int] = frozenset()
    group: Group = Group.SLOW
    ratio: Ratio = "primary"
    minimum: Fraction | None = None
    maximum: Fraction | None = None

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.type.registers

    def is_plausible(self, value: Fraction) -> bool:
        if self.minimum is not None and value < self.minimum:
            return False
        return self.maximum is None or value <= self.maximum
