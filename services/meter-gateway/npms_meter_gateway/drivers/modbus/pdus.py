"""Requests and their only valid answers.

Encoding is pymodbus' own: it is small and right. Its decoding is not used: it takes fewer
registers than were asked for, and another function's answer, as good.
"""

import struct
from dataclasses import dataclass, field
from functools import lru_cache
from typing import NoReturn

from pymodbus.pdu.bit_message import ReadCoilsRequest, WriteSingleCoilRequest
from pymodbus.pdu.pdu import ModbusPDU
from pymodbus.pdu.register_message import (
    ReadHoldingRegistersRequest,
    ReadInputRegistersRequest,
    WriteMultipleRegistersRequest,
)

from npms_meter_gateway.domain.relay import Table
from npms_meter_gateway.drivers.line.errors import BadAnswer
from npms_meter_gateway.drivers.modbus.errors import ModbusRefused

EXCEPTION_BIT = 0x80

_READS: dict[Table, type[ModbusPDU]] = {
    "coil": ReadCoilsRequest,
    "holding": ReadHoldingRegistersRequest,
    "input": ReadInputRegistersRequest,
}


@dataclass(frozen=True, slots=True)
class Read:
    """Asks for `count` registers, or coils, from `address` on.

    Its bytes, and what its answer begins with, are made once: keep it for the next poll.
    """

    table: Table
    address: int
    count: int
    _pdu: bytes = field(init=False, repr=False, compare=False)
    _head: bytes = field(init=False, repr=False, compare=False)
    """Function and byte count, with which the right answer begins."""
    _words: struct.Struct = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        request = _READS[self.table](address=self.address, count=self.count)
        size = (self.count + 7) // 8 if self.table == "coil" else 2 * self.count
        object.__setattr__(self, "_pdu", _encoded(request))
        object.__setattr__(self, "_head", bytes([request.function_code, size]))
        object.__setattr__(self, "_words", struct.Struct(f">{self.count}H"))

    def encode(self) -> bytes:
        return self._pdu

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """The registers, or coils as 0 and 1: exactly as many as were asked for.

        Raises BadAnswer, Refused.
        """
        head = self._head
        if answer[:2] != head or len(answer) != 2 + head[1]:
            _complain(answer, head)
        if self.table == "coil":
            return tuple(answer[2 + i // 8] >> i % 8 & 1 for i in range(self.count))
        return self._words.unpack_from(answer, 2)


@lru_cache(maxsize=4096)
def read_of(table: Table, address: int, count: int) -> Read:
    """The read that all meters of a kind share."""
    return Read(table, address, count)


@dataclass(frozen=True, slots=True)
class WriteRegisters:
    """Writes holding registers from `address` on by function 16."""

    address: int
    values: tuple[int, ...]

    def encode(self) -> bytes:
        return _encoded(
            WriteMultipleRegistersRequest(address=self.address, registers=list(self.values))
        )

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """Empty: that it was acknowledged. Raises BadAnswer, Refused."""
        expected = struct.pack(">HH", self.address, len(self.values))
        return _acknowledged(answer, WriteMultipleRegistersRequest.function_code, expected)


@dataclass(frozen=True, slots=True)
class WriteCoil:
    """Forces one coil by function 5."""

    address: int
    is_on: bool

    def encode(self) -> bytes:
        return _encoded(WriteSingleCoilRequest(address=self.address, bits=[self.is_on]))

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """Empty: that it was acknowledged. Raises BadAnswer, Refused."""
        expected = struct.pack(">HH", self.address, 0xFF00 if self.is_on else 0)
        return _acknowledged(answer, WriteSingleCoilRequest.function_code, expected)


Request = Read | WriteRegisters | WriteCoil


def _encoded(pdu: ModbusPDU) -> bytes:
    return bytes([pdu.function_code]) + pdu.encode()


def _complain(answer: bytes, head: bytes) -> NoReturn:
    """Say why this is not the answer to a read."""
    body = _body(answer, head[0])
    raise BadAnswer(f"{len(body) - 1} bytes of data, {head[1]} were asked for", "wrong_count")


def _body(answer: bytes, function: int) -> bytes:
    if not answer:
        raise BadAnswer("empty", "wrong_length")
    if answer[0] == function | EXCEPTION_BIT:
        if len(answer) != 2:
            raise BadAnswer("exception of a wrong length", "wrong_length")
        raise ModbusRefused(answer[1])
    if answer[0] != function:
        raise BadAnswer(f"function {answer[0]:#04x}, {function:#04x} was asked", "wrong_function")
    return answer[1:]


def _acknowledged(answer: bytes, function: int, expected: bytes) -> tuple[int, ...]:
    if _body(answer, function) != expected:
        raise BadAnswer("acknowledges something else", "wrong_echo")
    return ()
