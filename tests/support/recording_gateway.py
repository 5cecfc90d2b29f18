"""A Modbus/TCP gateway that writes down every request, with relay meters behind a slow line.

It shares no code with the gateway service nor with the simulated street.
"""

import asyncio
import struct
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import count

HEAD = struct.Struct(">HHHB")
PROFILE = "hiking_dds238_2_znsr"
ENERGY, EXPORT, VOLTAGE, POWER, RELAY = 0x0A, 0x08, 0x0C, 0x0E, 0x1A
STEP = 1
"""Hundredths of a kWh that a meter counts between two reads while its relay is closed."""


@dataclass(frozen=True, slots=True)
class Asked:
    connection: int
    unit: int
    function: int
    at: float


@dataclass(slots=True)
class RecordingGateway:
    """Units answer one after the other, each after `latency_s`; the `silent` ones never do.

    `mute` accepts connections and answers nothing; `most` is how many clients it bears at a time.
    """

    host: str = "127.0.0.1"
    latency_s: float = 0.0
    silent: set[int] = field(default_factory=set)
    mute: bool = False
    most: int = 1000
    asked: list[Asked] = field(default_factory=list)
    connects: list[float] = field(default_factory=list)
    open_now: int = 0
    port: int = 0
    relays: dict[int, int] = field(default_factory=lambda: defaultdict(lambda: 1))
    counted: Counter[int] = field(default_factory=Counter)
    _server: asyncio.Server | None = None
    _numbers: count = field(default_factory=count)  # type: ignore[type-arg]
    _line: asyncio.Lock = field(default_factory=asyncio.Lock)
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    async def start(self) -> None:
        """Listen, at the port of before where there was one."""
        self._server = await asyncio.start_server(self._serve, self.host, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for writer in list(self._writers):
            writer.close()
        with suppress(OSError):
            await self._server.wait_closed()

    def reads_of(self, unit: int) -> int:
        return sum(asked.unit == unit and asked.function == 3 for asked in self.asked)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = next(self._numbers)
        self.connects.append(asyncio.get_running_loop().time())
        self._writers.add(writer)
        self.open_now += 1
        try:
            while self.open_now <= self.most:
                head = await reader.readexactly(HEAD.size)
                transaction, _, length, unit = HEAD.unpack(head)
                pdu = await reader.readexactly(length - 1)
                now = asyncio.get_running_loop().time()
                self.asked.append(Asked(number, unit, pdu[0], now))
                if self.mute or unit in self.silent:
                    continue
                async with self._line:
                    await asyncio.sleep(self.latency_s)
                body = self._answer(unit, pdu)
                writer.write(HEAD.pack(transaction, 0, len(body) + 1, unit) + body)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            pass  # the client left, or the test ends
        finally:
            self.open_now -= 1
            self._writers.discard(writer)
            writer.close()

    def _answer(self, unit: int, pdu: bytes) -> bytes:
        function, address, words = struct.unpack(">BHH", pdu[:5])
        if function == 16 and address == RELAY:
            self.relays[unit] = struct.unpack(">H", pdu[6:8])[0]
            return pdu[:5]
        if function != 3 or address + words > RELAY + 1:
            return bytes([function | 0x80, 2])
        self.counted[unit] += STEP * self.relays[unit]
        image = self._image(unit)
        values = [image.get(at, 0) for at in range(address, address + words)]
        return struct.pack(f">BB{words}H", 3, 2 * words, *values)

    def _image(self, unit: int) -> dict[int, int]:
        high, low = divmod(100_000 + self.counted[unit], 0x10000)
        power_w = 600 * self.relays[unit]
        image = {0: high, 1: low, ENERGY: high, ENERGY + 1: low, VOLTAGE: 2300, 0x11: 5000}
        return image | {POWER: power_w, RELAY: self.relays[unit]}
