"""How requests and answers are wrapped on the way: one small interface, and Modbus/TCP's header."""

import struct
from typing import Protocol

from npms_meter_gateway.drivers.errors import BadAnswer

HEADER = struct.Struct(">HHHB")
LENGTH_MAX = 254
"""Unit id and PDU: 1 + 253."""

Frame = tuple[int, int, bytes, int]
"""(transaction, unit, PDU, bytes taken); the transaction is 0 where frames bear none."""


class Asked(Protocol):
    """A request, and what its only valid answers mean."""

    def encode(self) -> bytes:
        """What is asked, without the unit and the frame around it."""

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """The numbers asked for, or none for a command; raises BadAnswer or Refused."""


class Framing(Protocol):
    """Wraps requests and finds answers; what is not whole is waited for, what is wrong raises."""

    transactions: int
    """How many requests in flight it can tell apart."""

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        """The bytes to send."""

    def first(self, data: bytes) -> Frame | None:
        """The answer that `data` begins with, None while bytes are missing; raises BadAnswer."""


class Mbap:
    """Modbus/TCP: a transaction id, protocol 0, the length, the unit."""

    transactions = 0xFFFF

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        return HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu

    def first(self, data: bytes) -> Frame | None:
        if len(data) < HEADER.size:
            return None
        transaction, protocol, length, unit = HEADER.unpack_from(data)
        if protocol != 0:
            raise BadAnswer(f"protocol id {protocol}", "wrong_protocol")
        if not 2 <= length <= LENGTH_MAX:
            raise BadAnswer(f"length {length}", "wrong_length")
        size = HEADER.size - 1 + length
        if len(data) < size:
            return None
        return transaction, unit, data[HEADER.size : size], size
