"""A meter with clock, freezes and a log, served on a real socket: an Acrel DTSD1352 by its manual.

It shares nothing with the gateway: addresses and codings are written here once more.
"""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from npms_shared.clock import Clock
from npms_shared.contracts.ledger import MeterConnection

CLOCK, FREEZES, EVENTS = 0x003C, 0x1101, 0x3001
KEPT_FREEZES, KEPT_EVENTS = 90, 100


@dataclass(slots=True)
class KeepingMeter:
    """`ahead` is how far its clock is before ours; freezes and events stand newest first.

    `refused` are addresses that it answers with exception 2; while it `is_silent` it answers
    nothing. `asked` counts requests by their address, `set_at` has what its clock was set to.
    """

    clock: Clock
    register_wh: int = 1_000_000
    power_w: int = 0
    voltages_v: tuple[float, float, float] = (230.0, 230.0, 230.0)
    powers_w: tuple[int, int, int] = (0, 0, 0)
    ct: int = 1
    ahead: timedelta = timedelta()
    freezes: list[tuple[datetime, int]] = field(default_factory=list)
    events: list[tuple[int, ...]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    is_silent: bool = False
    takes_time: bool = True
    set_at: list[datetime] = field(default_factory=list)
    asked: dict[int, int] = field(default_factory=dict)
    host: str = "127.0.0.1"
    port: int = 0

    def connection(self, serial: str = "ACREL1") -> MeterConnection:
        return MeterConnection(
            serial=serial, profile="acrel_dtsd1352", host=self.host, port=self.port, unit_id=1
        )

    def happens(self, code: int, detail: int = 0, at: datetime | None = None) -> None:
        """Something for its log; the oldest entry goes when it is full."""
        when = at or self.now()
        time = when.timetuple()
        entry = (
            time[0] % 100 << 8 | time[1], time[2] << 8 | time[3], time[4] << 8 | time[5],
            code, detail, 0,
        )  # fmt: skip
        self.events = [entry, *self.events][:KEPT_EVENTS]

    def now(self) -> datetime:
        """By its own clock."""
        return (self.clock.now() + self.ahead).replace(tzinfo=None)

    def read(self, address: int, count: int) -> list[int]:
        if address == CLOCK:
            t = self.now()
            words = [t.second << 8 | t.minute, t.hour << 8 | t.day, t.month << 8 | t.year % 100]
            return words[:count]
        if FREEZES <= address < FREEZES + KEPT_FREEZES:
            return self._frozen(address - FREEZES)[:count]
        if EVENTS <= address < EVENTS + KEPT_EVENTS:
            number = address - EVENTS
            return list(self.events[number]) if number < len(self.events) else [0] * count
        plain = self._plain()
        return [plain.get(at, 0) for at in range(address, address + count)]

    def _frozen(self, number: int) -> list[int]:
        if number >= len(self.freezes):
            return [0] * 60
        at, register_wh = self.freezes[number]
        steps = register_wh // 10
        head = [at.year % 100 << 8 | at.month, at.day << 8 | at.hour]
        return [*head, steps >> 16, steps & 0xFFFF, *[0] * 56]

    def _plain(self) -> dict[int, int]:
        steps = self.register_wh // 10 % (1 << 32)
        words = {0x000A: steps >> 16, 0x000B: steps & 0xFFFF, 0x0077: 5000, 0x008D: 1}
        words |= {0x0061 + n: round(10 * v) for n, v in enumerate(self.voltages_v)}
        words[0x008E] = self.ct
        for n, power_w in enumerate((*self.powers_w, self.power_w)):
            high, low = struct.unpack(">HH", struct.pack(">i", power_w))
            words |= {0x0164 + 2 * n: high, 0x0165 + 2 * n: low}
        return words

    def answer(self, pdu: bytes) -> bytes | None:
        function, address, count = struct.unpack(">BHH", pdu[:5])
        self.asked[address] = self.asked.get(address, 0) + 1
        if self.is_silent:
            return None
        if address in self.refused:
            return bytes([function | 0x80, 2])
        if function == 16 and address == CLOCK:
            self._set(struct.unpack(f">{count}H", pdu[6:]))
            return pdu[:5]
        if function != 3:
            return bytes([function | 0x80, 1])
        words = self.read(address, count)
        return bytes([3, 2 * count]) + struct.pack(f">{count}H", *words)

    def _set(self, words: tuple[int, ...]) -> None:
        (second, minute), (hour, day), (month, year) = (divmod(word, 256) for word in words)
        to = datetime(2000 + year, month, day, hour, minute, second)  # noqa: DTZ001
        self.set_at.append(to)
        if self.takes_time:
            self.ahead = to - self.clock.now().replace(tzinfo=None)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readexactly(7)
                (length,) = struct.unpack(">H", head[4:6])
                answer = self.answer(await reader.readexactly(length - 1))
                if answer is not None:
                    writer.write(head[:4] + struct.pack(">H", len(answer) + 1) + head[6:7] + answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    @asynccontextmanager
    async def served(self) -> AsyncIterator["KeepingMeter"]:
        """Listens until the end, on the same port again if it was served before."""
        server: Any = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = server.sockets[0].getsockname()[1]
        try:
            yield self
        finally:
            server.close()
            server.close_clients() if hasattr(server, "close_clients") else None
