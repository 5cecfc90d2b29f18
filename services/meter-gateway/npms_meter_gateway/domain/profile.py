"""What a device type is: where a meter's values stand, in what form, how its relay is moved."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from npms_meter_gateway.domain.point import (
    ENERGY,
    POWER,
    SERIAL,
    VOLTAGE,
    Group,
    NumberType,
    Order,
    Point,
)
from npms_meter_gateway.domain.records import Clock, EventLog, Freezes, Status
from npms_meter_gateway.domain.relay import LoadLimit, Relay, State

RELAY = "relay"
RELAY_FAULT = "relay_fault"
LOAD_LIMIT = "load_limit"

DriverName = Literal["modbus", "dlt645"]

Confidence = Literal["manual", "two_code_bases", "one_code_base", "disputed", "assumed"]
CERTAIN: frozenset[Confidence] = frozenset({"manual", "two_code_bases"})
DOUBTED: tuple[Confidence, ...] = ("disputed", "assumed")
RANKING: tuple[Confidence, ...] = ("manual", "two_code_bases", "one_code_base")

__all__ = [
    "ENERGY",
    "LOAD_LIMIT",
    "POWER",
    "RELAY",
    "RELAY_FAULT",
    "SERIAL",
    "VOLTAGE",
    "Limits",
    "NumberType",
    "Order",
    "Point",
    "Profile",
    "ProfileError",
    "Source",
]


@dataclass(frozen=True, slots=True)
class Limits:
    """What the meter's link bears: registers a read, registers read in vain between two points.

    `min_gap_ms` is the silence that the meter needs between an answer and the next request.
    """

    max_read: int = 60
    max_hole: int = 16
    even: bool = False
    min_gap_ms: int = 0
    timeout_ms: int = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """Where facts of a profile are from, and how sure that is."""

    what: str
    confidence: Confidence


@dataclass(frozen=True, slots=True)
class Probe:
    """By what a meter of this type is known: a number that reads as one of `equals`."""

    point: Point
    equals: frozenset[int]


@dataclass(frozen=True, slots=True)
class GoldenFrame:
    """A request and the answer to it, as RTU frames, and what they mean.

    `values` are exact numbers by point, None where the meter has none; `switches` is the state that
    the request commands, on a meter of this serial number. `origin` says where the bytes are from.
    """

    request: bytes
    response: bytes
    values: Mapping[str, str | None]
    switches: State | None
    serial_number: int | None
    origin: str


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
    driver: DriverName = "modbus"
    notes: str = ""
    aliases: tuple[str, ...] = ()
    probe: tuple[Probe, ...] = ()
    clock: Clock | None = None
    freezes: tuple[Freezes, ...] = ()
    events: EventLog | None = None
    status: tuple[Status, ...] = ()
    golden: tuple[GoldenFrame, ...] = ()

    @property
    def confidence(self) -> Confidence:
        """How sure the whole is: by its best source, unless one is disputed or assumed."""
        named = {source.confidence for source in self.sources}
        return next(each for each in (*DOUBTED, *RANKING) if each in named)

    @property
    def is_certain(self) -> bool:
        """Whether a manual, or two who found out apart from each other, say so."""
        return self.confidence in CERTAIN

    def names_of(self, group: Group) -> frozenset[str]:
        """The points that are read together, as often as their group is."""
        return frozenset(name for name, point in self.points.items() if point.group == group)

    @property
    def is_switched(self) -> bool:
        """Whether its relay can be moved from afar."""
        return self.relay is not None and self.relay.is_commanded

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
