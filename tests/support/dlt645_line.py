"""Several DL/T 645 meters on one line: the dlt645 package's own server, and a relay for each.

The package serves data; its server knows no control command, and answers an error for a meter that
is not there, where a real line stays silent. Both are put right here.
"""

import asyncio
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

from dlt645 import MeterServerService
from dlt645.aio import AsyncTcpServer
from dlt645.model.data.define import DIMap
from dlt645.protocol.protocol import DLT645Protocol

CONTROL, TRIP, PERMIT, CLOSE = 0x1C, 0x1A, 0x1B, 0x1C
STATUS_WORD_3 = 0x04000503
SERVED = (
    *(0x00010000, 0x00020000, 0x02010100, 0x02020100, 0x02030000, 0x02060000, 0x02800002),
    STATUS_WORD_3,
)
"""To copy all that the package knows takes a second a meter."""
MAKER = "dlt645.service.serversvc.server_service.clone_data_map"


@dataclass
class Dlt645Meter:
    """Counts and switches; `acts` off acknowledges a command and does nothing."""

    number: str
    password: bytes = bytes(4)
    register_kwh: float = 1000.0
    power_kw: float = 0.5
    is_closed: bool = True
    is_permitted: bool = True
    acts: bool = True
    commands: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        served = {data_id: deepcopy(DIMap[data_id]) for data_id in SERVED}
        with patch(MAKER, return_value=served):
            self.service = MeterServerService(None)
        self.service.set_address(bytearray(bytes.fromhex(f"{int(self.number):012d}")[::-1]))

    def answer(self, frame: Any) -> bytes | None:
        if frame.ctrl_code == CONTROL:
            return self._switch(frame)
        self.service.set_00(0x00010000, self.register_kwh)
        self.service.set_02(0x02010100, 230.5)
        self.service.set_02(0x02030000, self.power_kw if self.is_closed else 0.0)
        status = (not self.is_closed) << 4 | (not self.is_permitted) << 6
        self.service.set_04(STATUS_WORD_3, f"{status:04x}")
        answer = self.service.handle_request(frame)
        return bytes(answer) if answer else None

    def press(self) -> None:
        """The customer's button."""
        self.is_closed = self.is_closed or self.is_permitted

    def _switch(self, frame: Any) -> bytes:
        data = bytes(frame.data)
        self.commands.append(data)
        if data[:4] != self.password:
            return bytes(DLT645Protocol.build_frame(frame.addr, CONTROL | 0xC0, b"\x04"))
        if self.acts:
            self.is_permitted = data[8] in {PERMIT, CLOSE}
            self.is_closed = data[8] == CLOSE or (self.is_closed and data[8] != TRIP)
        return bytes(DLT645Protocol.build_frame(frame.addr, CONTROL | 0x80, b""))


class Dlt645Line:
    """A TCP address behind which meters hang on one serial line."""

    def __init__(self, *meters: Dlt645Meter) -> None:
        self.meters = {int(meter.number): meter for meter in meters}
        self.asked = 0
        self.foreign: bytes = b""
        self.late_s: Callable[[], float] = lambda: 0.0
        self._server = AsyncTcpServer("127.0.0.1", 0, 5.0, service=self)

    @property
    def port(self) -> int:
        return int(self._server.port)

    async def __aenter__(self) -> "Dlt645Line":
        assert await self._server.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._server.stop()

    async def handle_request(self, frame: Any) -> bytes | None:
        """What the server asks of a meter; `foreign` is what comes instead, once."""
        self.asked += 1
        answer = self.answer(frame)
        await asyncio.sleep(self.late_s())
        return answer

    def answer(self, frame: Any) -> bytes | None:
        if self.foreign:
            answer, self.foreign = self.foreign, b""
            return answer
        meter = self.meters.get(int(bytes(frame.addr)[::-1].hex()))
        return meter.answer(frame) if meter else None
