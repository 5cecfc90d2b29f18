"""The one interface behind which meters are spoken to, whatever their protocol."""

from collections.abc import Collection
from datetime import datetime
from enum import IntEnum
from typing import Protocol, runtime_checkable

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.records import Freezes, Frozen, LogEntry
from npms_meter_gateway.domain.relay import State


class Priority(IntEnum):
    """The order in which requests leave on a line: the lowest first."""

    RELAY_WRITE = 0
    READ_BACK = 1
    ON_DEMAND = 2
    BILLING = 3
    FAST = 4
    SLOW = 5


class Driver(Protocol):
    """One meter. Each call asks it and raises a LinkFault where there is no usable answer."""

    refused: list[str]
    """Points that the meter does not serve; they are not asked for any more."""

    async def read(self, names: Collection[str], priority: Priority) -> MeterAnswer:
        """The points of these names, as far as the profile has them; also RELAY,
        RELAY_FAULT, LOAD_LIMIT.
        """

    async def switch(self, state: State) -> None:
        """Send the command once; that it was acknowledged proves nothing."""

    async def limit(self, limit_w: int | None) -> None:
        """Send the load limit once; None takes it away."""


@runtime_checkable
class HasClock(Protocol):
    """A driver whose meters may have a clock; times are by that clock, without a zone."""

    async def read_clock(self) -> datetime | None:
        """None where the profile has none, or what it shows is no time."""

    async def set_clock(self, at: datetime) -> None:
        """Write all of it at once; whether it took is for the next read to show."""


@runtime_checkable
class HasFreezes(Protocol):
    """A driver whose meters may keep registers as they stood at the end of days."""

    async def read_frozen(self, freezes: Freezes, number: int) -> Frozen | None:
        """The freeze of this number, 0 being the newest; None where none is kept."""


@runtime_checkable
class HasEvents(Protocol):
    """A driver whose meters may keep a log."""

    async def read_entry(self, number: int) -> LogEntry | None:
        """The entry of this number, 0 being the newest; None where there is none."""


@runtime_checkable
class HasStatus(Protocol):
    """A driver whose meters may tell of themselves in status bits."""

    async def read_status(self) -> frozenset[str]:
        """The kinds that are told of now."""
