"""How requests arrive on a socket and answers leave: Modbus/TCP, or RTU frames on TCP.

It shares no code with the gateway, so that a fault in one framing is not hidden by the other.
"""

import struct
from dataclasses import dataclass
from typing import Literal, Protocol

Transport = Literal["modbus_tcp", "rtu_over_tcp"]

_HEADER = struct.Struct(">HHHB")
_SHORT_REQUESTS = range(1, 7)
_LONG_REQUESTS = (15, 16)


@dataclass(frozen=True, slots=True)
class Request:
    unit: int
    pdu: bytes
    transaction: int = 0


class Framing(Protocol):
    def split(self, buffer: bytearray) -> list[Request]:
        """Take every complete request out of the buffer; what makes no sense is dropped."""

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        """The frame of an answer."""

    def spoil(self, frame: bytes) -> bytes:
        """The frame as a disturbed line would deliver it."""


class Tcp:
    def split(self, buffer: bytearray) -> list[Request]:
        requests = []
        while len(buffer) >= _HEADER.size:
            transaction, protocol, length, unit = _HEADER.unpack_from(buffer)
            if protocol or not 2 <= length <= 254:
                buffer.clear()
                break
            end = _HEADER.size - 1 + length
            if len(buffer) < end:
                break
            requests.append(Request(unit, bytes(buffer[_HEADER.size : end]), transaction))
            del buffer[:end]
        return requests

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:
        return _HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def spoil(self, frame: bytes) -> bytes:
        """Another protocol in the header: TCP itself guards the rest."""
        return frame[:2] + b"\x00\x07" + frame[4:]


class Rtu:
    def split(self, buffer: bytearray) -> list[Request]:
        requests = []
        while len(buffer) >= 2:
            length = _request_length(buffer)
            if length is None or len(buffer) < length:
                break
            frame = bytes(buffer[:length])
            if crc16(frame[:-2]) != int.from_bytes(frame[-2:], "little"):
                buffer.clear()
                break
            requests.append(Request(frame[0], frame[1:-2]))
            del buffer[:length]
        return requests

    def wrap(self, unit: int, pdu: bytes, transaction: int) -> bytes:  # noqa: ARG002 - RTU has none
        body = bytes([unit]) + pdu
        return body + crc16(body).to_bytes(2, "little")

    def spoil(self, frame: bytes) -> bytes:
        return frame[:-3] + bytes([frame[-3] ^ 0x10]) + frame[-2:]


FRAMINGS: dict[str, Framing] = {"modbus_tcp": Tcp(), "rtu_over_tcp": Rtu()}


def _request_length(buffer: bytearray) -> int | None:
    """Bytes of the RTU request that begins the buffer; None while they cannot be told."""
    function = buffer[1]
    if function in _SHORT_REQUESTS:
        return 8
    if function in _LONG_REQUESTS:
        return 9 + buffer[6] if len(buffer) > 6 else None
    return len(buffer) if len(buffer) >= 4 else None


def _crc_table() -> tuple[int, ...]:
    table = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ 0xA001 if value & 1 else value >> 1  # noqa: PLW2901
        table.append(value)
    return tuple(table)


_CRC = _crc_table()


def crc16(data: bytes) -> int:
    """The check of a Modbus RTU frame."""
    crc = 0xFFFF
    for byte in data:
        crc = (crc >> 8) ^ _CRC[(crc ^ byte) & 0xFF]
    return crc
