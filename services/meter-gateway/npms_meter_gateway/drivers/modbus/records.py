"""What a Modbus meter keeps besides its registers, read and set by the profile's description.

All of it is asked for with the lowest priority: nobody waits for it.
"""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from npms_meter_gateway.domain.decoding import decode, whole
from npms_meter_gateway.domain.profile import ENERGY, Profile
from npms_meter_gateway.domain.records import EventLog, Freezes, Frozen, LogEntry, Records
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.modbus.pdus import Request, WriteRegisters, read_of

Words = tuple[int, ...]
EMPTY = ({0}, {0xFFFF})
"""What stands in a record that was never written."""


class KeepsRecords(ABC):
    """The part of a driver that speaks of clocks, freezes, logs and status bits."""

    profile: Profile

    @abstractmethod
    async def _ask(self, request: Request, priority: Priority) -> Words: ...

    async def read_clock(self) -> datetime | None:
        clock = self.profile.clock
        if clock is None:
            return None
        request = read_of("holding", clock.address, clock.time.registers)
        return clock.time.decode(await self._ask(request, Priority.SLOW))

    async def set_clock(self, at: datetime) -> None:
        clock = self.profile.clock
        assert clock is not None
        assert clock.is_settable
        await self._ask(WriteRegisters(clock.address, clock.time.encode(at)), Priority.SLOW)

    async def read_frozen(self, freezes: Freezes, number: int) -> Frozen | None:
        words = await self._record(freezes.records, number)
        point = freezes.points[ENERGY]
        at = freezes.time.decode(words[freezes.time_at :])
        register = decode(point, words[point.address : point.end])
        if at is None or register is None or set(words) in EMPTY:
            return None
        return Frozen(at, whole(register))

    async def read_entry(self, number: int) -> LogEntry | None:
        log = self.profile.events
        if log is None:
            return None
        words = await self._record(log.records, number)
        return None if set(words) in EMPTY else _entry(log, words)

    async def read_status(self) -> frozenset[str]:
        kinds: set[str] = set()
        for status in self.profile.status:
            (raw,) = await self._ask(read_of(status.table, status.address, 1), Priority.SLOW)
            kinds |= status.kinds_in(raw)
        return frozenset(kinds)

    async def _record(self, records: Records, number: int) -> Words:
        request = read_of(records.table, records.address_of(number), records.words)
        return await self._ask(request, Priority.SLOW)


def _entry(log: EventLog, words: Sequence[int]) -> LogEntry:
    code = words[log.code_at]
    detail = words[log.detail_at] if log.detail_at is not None else 0
    return LogEntry(
        mark="".join(f"{word:04x}" for word in words),
        at=log.time.decode(words[log.time_at :]),
        code=code,
        detail=detail,
        kinds=log.kinds_of(code, detail),
    )
