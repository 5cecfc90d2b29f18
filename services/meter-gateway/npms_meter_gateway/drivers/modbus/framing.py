"""The header in which Modbus/TCP wraps requests and answers."""

import re
import struct
from collections.abc import Collection, Mapping

from npms_meter_gateway.drivers.line.errors import BadAnswer
from npms_meter_gateway.drivers.line.framing import Addressed, Frame

HEADER = struct.Struct(">HHHB")
START = struct.Struct(">HH")
"""Transaction and protocol, with which a header begins."""
LENGTHS = range(2, 255)
"""Unit id and PDU, which has one byte to 253."""
LIKE_A_HEADER = re.compile(
    rb"\0\0\0[\x02-\xfe].[\x01-\x06\x0f\x10\x81-\x86\x8f\x90]", re.DOTALL
).search
"""Protocol 0, a length, any unit, a function: what stands in few answers, and found at once."""
EXCEPTION_BIT = 0x80


class Mbap:
    """Modbus/TCP: a transaction id, protocol 0, the length, the unit."""

    transactions = 0xFFFF

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        return HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def first(self, data: bytes) -> Frame | None:
        """The answer that `data` begins with, None while bytes are missing; raises BadAnswer."""
        if len(data) < HEADER.size:
            return None
        transaction, protocol, length, unit = HEADER.unpack_from(data)
        if protocol != 0:
            raise BadAnswer(f"protocol id {protocol}", "wrong_protocol")
        if length not in LENGTHS:
            raise BadAnswer(f"length {length}", "wrong_length")
        size = HEADER.size - 1 + length
        if len(data) < size:
            return None
        return transaction, unit, data[HEADER.size : size], size

    def may_begin(self, data: bytes, transactions: Collection[int]) -> bool:
        if len(data) >= HEADER.size:
            return HEADER.unpack_from(data)[0] in transactions
        return any(START.pack(each, 0).startswith(data[: START.size]) for each in transactions)

    def has_swallowed(self, pdu: bytes, asked: Mapping[int, Addressed]) -> bool:
        if not LIKE_A_HEADER(pdu):
            return False
        for transaction, other in asked.items():
            if START.pack(transaction, 0) in pdu and _stands_in(pdu, transaction, other):
                return True
        return False


def _stands_in(pdu: bytes, transaction: int, asked: Addressed) -> bool:
    """Whether a header of this transaction, its unit and its function stand in `pdu`."""
    at = pdu.find(START.pack(transaction, 0))
    if len(pdu) <= at + HEADER.size:
        return False
    _, _, length, unit = HEADER.unpack_from(pdu, at)
    function = pdu[at + HEADER.size] & ~EXCEPTION_BIT
    return length in LENGTHS and unit == asked.unit and function == asked.request.encode()[0]
