"""What a gateway address is: how it is reached, and what its line bears."""

from dataclasses import dataclass
from math import ceil
from typing import Literal

Transport = Literal["modbus_tcp", "rtu_over_tcp", "serial"]
Parity = Literal["N", "E", "O"]

RTU_PAUSE_MS = 10
"""RTU frames do not say what they answer, and some converters repeat one after a few ms."""
SILENT_BITS = 3.5 * 11
"""Between two RTU frames (Modbus over Serial Line 1.02, §2.5.1.1): three and a half characters."""


def own_pause_ms(transport: Transport, baud: int) -> int:
    """The silence that a transport needs between an answer and the next request."""
    if transport == "modbus_tcp":
        return 0
    silent_ms = SILENT_BITS / baud * 1000 if transport == "serial" else 0
    return max(RTU_PAUSE_MS, ceil(silent_ms))


@dataclass(frozen=True, slots=True)
class Gateway:
    """One connection: a TCP address, or a serial `device` of this machine.

    `depth` is how many requests it bears in flight, `pause_ms` the silence kept between an answer
    and the next request (None is what its transport needs), `late_window_ms` how long an answer may
    still come after its request was given up.
    """

    host: str
    port: int
    transport: Transport = "modbus_tcp"
    gateway_id: int = 0
    device: str = ""
    baud: int = 9600
    parity: Parity = "N"
    site: str = ""
    depth: int = 1
    pause_ms: int | None = None
    late_window_ms: int = 500

    @property
    def pause_s(self) -> float:
        """Seconds of silence between an answer and the next request."""
        if self.pause_ms is not None:
            return self.pause_ms / 1000
        return own_pause_ms(self.transport, self.baud) / 1000

    @property
    def name(self) -> str:
        """For people and logs."""
        return self.device or f"{self.host}:{self.port}"
