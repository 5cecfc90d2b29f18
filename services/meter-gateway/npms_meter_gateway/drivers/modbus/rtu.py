"""RTU frames: unit, function, data, CRC16, without length or transaction.

The length of an answer follows from its function and its byte count (Modbus over Serial Line 1.02,
§2.5.1; Application Protocol 1.1b3, §6). Nothing in a frame says which request it answers: whoever
uses this framing has to see to it that no late answer can meet another request.
"""

import struct

from npms_meter_gateway.drivers.line.errors import BadAnswer
from npms_meter_gateway.drivers.line.framing import Frame, Unnumbered

SMALLEST = 5
"""Unit, function, exception code, CRC."""
LARGEST = 256
ACKNOWLEDGEMENT = 8
COUNTED = frozenset({1, 2, 3, 4})
ECHOED = frozenset({5, 6, 15, 16})
EXCEPTION_BIT = 0x80
POLYNOMIAL = 0xA001


class Rtu(Unnumbered):
    """One request at a time; CRC and length checked before anything else is looked at."""

    def wrap(self, _transaction: int, unit: int, pdu: bytes) -> bytes:
        body = bytes([unit]) + pdu
        return body + struct.pack("<H", crc16(body))

    def first(self, data: bytes) -> Frame | None:
        """The answer that `data` begins with, None while bytes are missing; raises BadAnswer."""
        if len(data) < SMALLEST:
            return None
        size = _size(data)
        if len(data) < size:
            return None
        if crc16(data[:size]) != 0:
            raise BadAnswer("the checksum does not fit", "bad_crc")
        return 0, data[0], data[1 : size - 2], size


def _size(data: bytes) -> int:
    function = data[1]
    if function & EXCEPTION_BIT:
        return SMALLEST
    if function in ECHOED:
        return ACKNOWLEDGEMENT
    if function not in COUNTED:
        raise BadAnswer(f"function {function:#04x} was not asked", "wrong_function")
    size = SMALLEST + data[2]
    if size > LARGEST:
        raise BadAnswer(f"{data[2]} bytes of data", "wrong_length")
    return size


def crc16(data: bytes) -> int:
    """CRC-16/MODBUS, two bytes a step; 0 for a frame with its own checksum behind it."""
    crc = 0xFFFF
    for word in _WORDS[len(data) // 2].unpack_from(data):
        crc = _STEPS[crc ^ word]
    if len(data) % 2:
        crc = crc >> 8 ^ _STEPS[(crc ^ data[-1]) << 8 & 0xFFFF]
    return crc


def _byte_step(crc: int) -> int:
    for _ in range(8):
        crc = crc >> 1 ^ POLYNOMIAL if crc & 1 else crc >> 1
    return crc


def _word_steps() -> list[int]:
    byte_steps = [_byte_step(byte) for byte in range(256)]
    firsts = [(high ^ byte_steps[low]) for high in range(256) for low in range(256)]
    return [first >> 8 ^ byte_steps[first & 0xFF] for first in firsts]


_STEPS = _word_steps()
"""What 16 shifts make of each 16-bit value."""
_WORDS = tuple(struct.Struct(f"<{count}H") for count in range(LARGEST // 2 + 1))
