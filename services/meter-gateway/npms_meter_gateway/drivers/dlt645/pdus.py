"""Requests of DL/T 645-2007 and their only valid answers."""

from dataclasses import dataclass, field
from datetime import datetime

from npms_meter_gateway.drivers.dlt645.access import Access
from npms_meter_gateway.drivers.line.errors import BadAnswer, Refused

READ, CONTROL = 0x11, 0x1C
TRIP, PERMIT_CLOSE, CLOSE = 0x1A, 0x1B, 0x1C
ANSWERED, REFUSED = 0x80, 0xC0
NO_SUCH_DATA, WRONG_PASSWORD = 0x02, 0x04
ID_SIZE = 4


class Dlt645Refused(Refused):
    """The meter answered with an error word."""

    def __init__(self, code: int) -> None:
        words = {NO_SUCH_DATA: " (no such data)", WRONG_PASSWORD: " (password, or not permitted)"}
        super().__init__(code, f"DL/T 645 error {code:#04x}{words.get(code, '')}")

    @property
    def is_about_registers(self) -> bool:
        return self.code == NO_SUCH_DATA


@dataclass(frozen=True, slots=True)
class ReadData:
    """Asks for the `octets` of one data identifier."""

    data_id: int
    octets: int

    def encode(self) -> bytes:
        return bytes([READ]) + self.data_id.to_bytes(ID_SIZE, "little")

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """One number: the octets as they stand, the lowest first. Raises BadAnswer, Refused."""
        data = _data(answer, READ)
        if data[:ID_SIZE] != self.data_id.to_bytes(ID_SIZE, "little"):
            raise BadAnswer(f"not of {self.data_id:08x}", "wrong_echo")
        if len(data) != ID_SIZE + self.octets:
            raise BadAnswer(f"{len(data) - ID_SIZE} octets, not {self.octets}", "wrong_count")
        return (int.from_bytes(data[ID_SIZE:], "little"),)


@dataclass(frozen=True, slots=True)
class Control:
    """Trips the relay (1A), closes it (1C), or lets the customer close it (1B)."""

    command: int
    access: Access = field(repr=False)

    def encode(self) -> bytes:
        end = _bcd_time(self.access.valid_until())
        secret = self.access.password + self.access.operator
        return bytes([CONTROL]) + secret + bytes([self.command, 0]) + end

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """Empty: that it was acknowledged. Raises BadAnswer, Refused."""
        if _data(answer, CONTROL):
            raise BadAnswer("an acknowledgement with data", "wrong_count")
        return ()


def _data(answer: bytes, function: int) -> bytes:
    code, data = answer[0], answer[1:]
    if code == function | REFUSED and data:
        raise Dlt645Refused(data[0])
    if code != function | ANSWERED:
        raise BadAnswer(f"control code {code:#04x}, {function:#04x} was asked", "wrong_function")
    return data


def _bcd_time(at: datetime) -> bytes:
    """Second, minute, hour, day, month, year, a byte of two digits each."""
    return bytes.fromhex(at.strftime("%S%M%H%d%m%y"))
