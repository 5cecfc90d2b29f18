"""A meter with a relay of any idiom, for tests: what its bytes do, without any code of ours."""

import asyncio
import struct
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

LOAD_W = 3000
SERIAL_NUMBER = 0x12AB34CD
KEY = 0x0204
FOR_EVER_S = 0xFFFFFFFF
SILENCE = b""

SOURCES = [{"what": "test", "confidence": "assumed"}]
POINTS = {
    "energy_import_wh": {"table": "input", "address": 0, "type": "u32"},
    "power_w": {"table": "input", "address": 2, "type": "s16"},
    "serial_number": {"table": "input", "address": 0xFF00, "type": "u32"},
}
PLAIN = {
    "kind": "fc16_register", "address": 0x1A, "settle_ms": 0,
    "read_back": {"table": "holding", "address": 0x1A, "value_on": 1, "value_off": 0},
    "fault": {"table": "holding", "address": 0xFBFE, "value": 1},
}  # fmt: skip
COIL = {
    "kind": "fc5_coil", "address": 0, "settle_ms": 0,
    "read_back": {"table": "coil", "address": 0, "value_on": 1, "value_off": 0},
}  # fmt: skip
KEYED = {
    "kind": "fc16_keyed", "address": 0x0566, "value_on": 0x5555, "value_off": 0xAAAA,
    "key": "fineco", "settle_ms": 0,
    "read_back": {"table": "input", "address": 0x0566, "value_on": 0x5555, "value_off": 0xAAAA},
}  # fmt: skip
TIMED = {
    "kind": "fc16_timed", "address": 0xA7, "open_for_s": 600, "read_back": "power", "settle_ms": 0,
}  # fmt: skip
ARMING = {
    "kind": "fc16_register", "address": 0x20, "local_reclose": True, "settle_ms": 0,
    "read_back": {
        "table": "holding", "address": 0x21, "value_on": 1, "value_off": 0, "value_armed": 2,
    },
}  # fmt: skip
LOCAL = {
    "kind": "local", "settle_ms": 0,
    "read_back": {"table": "holding", "address": 0x0700, "value_on": 0xFF00, "value_off": 0},
}  # fmt: skip
IDIOMS = {
    "plain": PLAIN, "coil": COIL, "keyed": KEYED, "timed": TIMED, "arming": ARMING, "local": LOCAL,
}  # fmt: skip


def profile_file(idiom: str) -> dict[str, Any]:
    """The content of a profile file of such a meter."""
    return {
        "profile": f"test_{idiom}",
        "vendor": "test",
        "model": idiom,
        "sources": SOURCES,
        "resolution_wh": 1,
        "limits": {"timeout_ms": 100},
        "points": POINTS,
        "relay": IDIOMS[idiom],
    }


@dataclass(slots=True)
class RelayMeter:
    """`closed` is the contact, `shows_on` what its register says; `now_s` its own clock.

    `pulses` are the commands that reached it, `pulsed_at` when by the steady clock. The next
    `lost_acks` of them are not answered, the next `stuck` do not move it. `welded`: the contact
    stays closed whatever it is told.
    """

    idiom: str
    shows_on: bool = True
    armed: bool = False
    welded: bool = False
    silent: bool = False
    says_fault: bool = False
    stuck: int = 0
    lost_acks: int = 0
    load_w: int = LOAD_W
    now_s: float = 0.0
    opens_until: float | None = None
    pulses: list[str] = field(default_factory=list)
    pulsed_at: list[float] = field(default_factory=list)
    reads: int = 0
    serial_number: int = SERIAL_NUMBER

    @property
    def closed(self) -> bool:
        return self.shows_on or self.welded

    @property
    def power_w(self) -> int:
        return self.load_w if self.closed else 0

    def press(self) -> None:
        """The customer closes an armed relay."""
        if self.armed:
            self.shows_on, self.armed = True, False

    def move(self, *, on: bool) -> None:
        """Somebody else moves it."""
        self.shows_on, self.armed, self.opens_until = on, False, None

    def advance(self, seconds: float) -> None:
        """Time passes; a timed opening may run out."""
        self.now_s += seconds
        if self.opens_until is not None and self.now_s >= self.opens_until:
            self.shows_on, self.opens_until = True, None

    def answer(self, pdu: bytes) -> bytes:
        """The answer to a request, SILENCE for none."""
        if self.silent:
            return SILENCE
        function = pdu[0]
        if function in {1, 3, 4}:
            self.reads += 1
            return self._read(function, *struct.unpack(">HH", pdu[1:5]))
        done = self._write(function, pdu)
        if done and self.lost_acks:
            self.lost_acks -= 1
            return SILENCE
        return pdu[:5] if done else bytes([function | 0x80, 2])

    def _read(self, function: int, address: int, count: int) -> bytes:
        if function == 1:
            return bytes([1, 1, int(self.shows_on)])
        table = self._registers()
        values = [table.get((function, at), 0) for at in range(address, address + count)]
        return bytes([function, 2 * count]) + struct.pack(f">{count}H", *values)

    def _registers(self) -> Mapping[tuple[int, int], int]:
        return {
            (4, 1): 1000,
            (4, 2): self.power_w,
            (4, 0xFF00): self.serial_number >> 16,
            (4, 0xFF01): self.serial_number & 0xFFFF,
            (3, 0x1A): int(self.shows_on),
            (3, 0xFBFE): int(self.says_fault),
            (4, 0x0566): 0x5555 if self.shows_on else 0xAAAA,
            (3, 0x21): 1 if self.shows_on else 2 if self.armed else 0,
            (3, 0x0700): 0xFF00 if self.shows_on else 0,
        }

    def _write(self, function: int, pdu: bytes) -> bool:
        address, *values = self._written(function, pdu)
        wanted = self._wanted(function, address, values)
        if wanted is None:
            return False
        self.pulses.append(wanted)
        self.pulsed_at.append(time.monotonic())
        if self.stuck:
            self.stuck -= 1
        elif wanted != "nothing":
            self._obey(wanted == "on", values)
        return True

    def _written(self, function: int, pdu: bytes) -> tuple[int, ...]:
        if function == 5:
            return struct.unpack(">HH", pdu[1:5])
        address, count, _ = struct.unpack(">HHB", pdu[1:6])
        return address, *struct.unpack(f">{count}H", pdu[6:])

    def _wanted(self, function: int, address: int, values: list[int]) -> str | None:
        """ "on", "off", or "nothing" where the meter takes a command and ignores it."""
        match self.idiom, function, address, values:
            case ("plain", 16, 0x1A, [value]) | ("arming", 16, 0x20, [value]):
                return "on" if value else "off"
            case "coil", 5, 0, [value]:
                return "on" if value else "off"
            case "keyed", 16, 0x0566, [key, value]:
                named = {0x5555: "on", 0xAAAA: "off"}
                return named.get(value, "nothing") if key == KEY else "nothing"
            case "timed", 16, 0xA7, [high, low]:
                return "off" if high or low else "on"
        return None

    def _obey(self, on: bool, values: list[int]) -> None:  # noqa: FBT001
        if self.idiom == "arming" and on:
            self.armed = not self.shows_on
            return
        self.shows_on, self.armed, self.opens_until = on, False, None
        if self.idiom == "timed" and not on:
            seconds = values[0] << 16 | values[1]
            self.opens_until = None if seconds == FOR_EVER_S else self.now_s + seconds


@asynccontextmanager
async def socket_of(meters: Mapping[int, RelayMeter], port: int = 0) -> AsyncIterator[int]:
    """The port of a Modbus/TCP gateway before these meters, by unit; a free one for 0."""
    tasks: set[asyncio.Task[Any]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            while True:
                transaction, _, length, unit = struct.unpack(">HHHB", await reader.readexactly(7))
                pdu = await reader.readexactly(length - 1)
                answer = meters[unit].answer(pdu)
                if answer:
                    head = struct.pack(">HHHB", transaction, 0, len(answer) + 1, unit)
                    writer.write(head + answer)
        except (asyncio.IncompleteReadError, ConnectionError, asyncio.CancelledError):
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", port)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
