"""What a meter keeps besides its registers: clock, frozen registers, log of events, status bits.

These are descriptions only; who speaks to the meter reads and writes by them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from npms_meter_gateway.domain.device_time import TimeFormat
from npms_meter_gateway.domain.point import Point
from npms_meter_gateway.domain.relay import Table

DEVICE_EVENTS = frozenset(
    {
        "power_up", "power_down", "register_cleared", "demand_cleared", "history_cleared",
        "output_on", "output_off", "over_voltage", "phase_loss", "phase_reversed", "over_current",
        "low_current", "clock_set", "cover_open", "tamper", "neutral_missing",
    }
)  # fmt: skip
"""What a log or a status bit of a meter may be told as."""

UNKNOWN_EVENT = "unknown_device_event"
"""What a code is told as that the profile does not explain."""


@dataclass(frozen=True, slots=True)
class Clock:
    """The meter's clock stands at `address` of the holding registers, in the form of `time`.

    It is set by writing all of `time.registers` at once by function 16, where it `is_settable`.
    """

    address: int
    time: TimeFormat
    is_settable: bool


@dataclass(frozen=True, slots=True)
class Records:
    """A row of records, the newest first.

    Record n (0 is the newest) is read by asking for `words` registers from `address_of(n)` on. On
    some meters records are numbered one register apart although each is longer: `stride` is what
    lies between two addresses.
    """

    table: Table
    base: int
    count: int
    words: int
    stride: int

    def address_of(self, number: int) -> int:
        return self.base + number * self.stride


@dataclass(frozen=True, slots=True)
class Freezes:
    """Registers as they stood at the end of each day or month, `records.count` of them.

    `time` stands `time_at` registers into a record. The addresses of `points` count from the
    begin of a record, so that `decode(point, record[point.address : point.end])` is the value.
    """

    every: Literal["day", "month"]
    records: Records
    time: TimeFormat
    time_at: int
    points: Mapping[str, Point]


@dataclass(frozen=True, slots=True)
class EventRule:
    """What a code means: with exactly this `detail`, with any of these `bits` of it, or always."""

    code: int
    kind: str
    detail: int | None = None
    bits: int | None = None

    def fits(self, code: int, detail: int) -> bool:
        if code != self.code:
            return False
        if self.detail is not None:
            return detail == self.detail
        return self.bits is None or bool(detail & self.bits)


@dataclass(frozen=True, slots=True)
class EventLog:
    """The meter's own log of events, the newest first.

    In a record the time stands `time_at`, the code `code_at`, the detail `detail_at` registers from
    its begin; without a `detail_at` details are 0.
    """

    records: Records
    time: TimeFormat
    time_at: int
    code_at: int
    detail_at: int | None
    rules: tuple[EventRule, ...]

    def kinds_of(self, code: int, detail: int) -> tuple[str, ...]:
        """What an entry is told as; empty for a code told by bits of which none is set."""
        known = [rule for rule in self.rules if rule.code == code]
        kinds = dict.fromkeys(rule.kind for rule in known if rule.fits(code, detail))
        if kinds or any(rule.bits is not None for rule in known):
            return tuple(kinds)
        return (UNKNOWN_EVENT,)


@dataclass(frozen=True, slots=True)
class Status:
    """A register; while any bit of a mask in `kinds` is set, it tells of that kind."""

    table: Table
    address: int
    kinds: Mapping[int, str]

    def kinds_in(self, raw: int) -> frozenset[str]:
        return frozenset(kind for bits, kind in self.kinds.items() if raw & bits)


@dataclass(frozen=True, slots=True)
class Frozen:
    """A register as it stood at a time of the meter's own clock."""

    at: datetime
    register_wh: int


@dataclass(frozen=True, slots=True)
class LogEntry:
    """An entry of a meter's log; `at` is by its own clock, None where that is no time.

    `mark` is the record as it was read: what one entry is known by.
    """

    mark: str
    at: datetime | None
    code: int
    detail: int
    kinds: tuple[str, ...]
