"""What a gateway address is: how it is reached, and what its line bears."""

from dataclasses import dataclass
from typing import Literal

Transport = Literal["modbus_tcp", "rtu_over_tcp", "serial"]
Parity = Literal["N", "E", "O"]


@dataclass(frozen=True, slots=True)
class Gateway:
    """One connection: a TCP address, or a serial `device` of this machine.

    `depth` is how many requests it bears in flight, `pause_ms` the silence kept between two of
    them, `late_window_ms` how long an answer may still come after its request was given up.
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
    pause_ms: int = 0
    late_window_ms: int = 500

    @property
    def name(self) -> str:
        """For people and logs."""
        return self.device or f"{self.host}:{self.port}"
