"""What a register map is: where a meter's values stand, in what form, how its relay is moved."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from itertools import pairwise

from npms_meter_gateway.domain.relay import LoadLimit, Relay, Table

ENERGY = "energy_import_wh"
POWER = "power_w"
VOLTAGE = "voltage_v"
SERIAL = "serial_number"
RELAY = "relay"
RELAY_FAULT = "relay_fault"
LOAD_LIMIT = "load_limit"

CANONICAL = frozenset(
    {
        ENERGY, POWER, VOLTAGE, "energy_export_wh", "energy_total_wh", "voltage_l2_v",
        "voltage_l3_v", "current_a", "current_l2_a", "current_l3_a", "power_factor",
        "frequency_hz", SERIAL,
    }
)  # fmt: skip
"""Every name a point may have; the unit is in the name."""

ADDRESSES = 0x10000


class NumberType(StrEnum):
    U16 = "u16"
    S16 = "s16"
    U32 = "u32"
    S32 = "s32"
    U64 = "u64"
    S64 = "s64"
    F32 = "f32"
    F64 = "f64"

    @property
    def registers(self) -> int:
        """How many 16-bit registers a number takes."""
        return int(self.value[1:]) // 16


@dataclass(frozen=True, slots=True)
class Point:
    """One number of a meter: `scale` times the raw number is in the unit of `name`.

    `low_word_first` is the order often written CDAB; `invalid` holds raw bit
    patterns by which the meter says "not available".
    """

    name: str
    table: Table
    address: int
    type: NumberType
    scale: Fraction
    low_word_first: bool = False
    invalid: frozenset[int] = frozenset()

    @property
    def end(self) -> int:
        """The first address after it."""
        return self.address + self.type.registers


@dataclass(frozen=True, slots=True)
class Limits:
    """What the meter's link bears: registers a read, registers read in vain between two points."""

    max_read: int = 60
    max_hole: int = 16
    even: bool = False
    timeout_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Source:
    what: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Profile:
    """A device type. `rollover_wh` is the modulus of the import register, where it is known."""

    code: str
    vendor: str
    model: str
    sources: tuple[Source, ...]
    limits: Limits
    points: Mapping[str, Point]
    resolution_wh: int
    rollover_wh: int | None
    relay: Relay | None
    load_limit: LoadLimit | None = None

    def attainable(self, limit_w: int | None) -> int | None:
        """The limit that the meter can hold instead of the one asked for; None without a register
        for it.
        """
        limit = self.load_limit
        return None if limit is None else limit.limit_of(limit.raw_of(limit_w))


class ProfileError(Exception):
    """A profile cannot be used; `faults` has a line per place."""

    def __init__(self, code: str, faults: list[str]) -> None:
        super().__init__(f"profile {code}: " + "; ".join(faults))
        self.code, self.faults = code, faults


def check(profile: Profile) -> Profile:
    """The profile, or ProfileError with everything that is wrong in it."""
    faults = [
        *_missing(profile),
        *_relay_faults(profile),
        *(fault for point in profile.points.values() for fault in _point_faults(point, profile)),
        *_overlaps(profile),
    ]
    if faults:
        raise ProfileError(profile.code, faults)
    return profile


def _missing(profile: Profile) -> Iterator[str]:
    if ENERGY not in profile.points:
        yield f"points: {ENERGY} is missing"
    if profile.resolution_wh < 1:
        yield "resolution_wh: must be at least 1"
    if profile.rollover_wh is not None and profile.rollover_wh <= profile.resolution_wh:
        yield "rollover_wh: must be above the resolution"
    if profile.load_limit and profile.load_limit.scale <= 0:
        yield "load_limit.scale: must be above zero"
    if profile.load_limit and not profile.relay:
        yield "load_limit: a meter without a relay is not limited"


def _relay_faults(profile: Profile) -> Iterator[str]:
    relay = profile.relay
    if relay is None:
        return
    back = relay.read_back
    if back and len({back.on, back.off, back.armed}) < 3:
        yield "relay.read_back: two states read the same"
    if back is None and POWER not in profile.points:
        yield f"relay.read_back: without a state register points.{POWER} must tell of it"
    if relay.value_on == relay.value_off:
        yield "relay: on and off are written the same"
    if relay.kind == "fc16_keyed" and SERIAL not in profile.points:
        yield f"relay.key: follows from points.{SERIAL}, which is missing"


def _point_faults(point: Point, profile: Profile) -> Iterator[str]:
    place = f"points.{point.name}"
    if point.name not in CANONICAL:
        yield f"{place}: not a known name"
    if point.table == "coil":
        yield f"{place}.table: a number cannot stand in coils"
    if point.end > ADDRESSES:
        yield f"{place}.address: beyond the last register"
    if point.scale <= 0:
        yield f"{place}.scale: must be above zero"
    if point.type.registers > profile.limits.max_read:
        yield f"{place}.type: longer than limits.max_read"
    if profile.limits.even and (point.address % 2 or point.type.registers % 2):
        yield f"{place}.address: limits.even asks for even addresses and lengths"


def _overlaps(profile: Profile) -> Iterator[str]:
    spans = [(p.table, p.address, p.end, f"points.{p.name}") for p in profile.points.values()]
    relay = profile.relay
    if relay and relay.is_commanded and relay.kind != "fc5_coil":
        spans.append(("holding", relay.address, relay.address + relay.registers, "relay"))
    limit = profile.load_limit
    if limit:
        spans.append(("holding", limit.address, limit.address + 1, "load_limit"))
    spans.sort()
    for (table, _, end, name), (other_table, address, _, other) in pairwise(spans):
        if table == other_table and address < end:
            yield f"{other}: overlaps {name} at {table} register {address:#06x}"
