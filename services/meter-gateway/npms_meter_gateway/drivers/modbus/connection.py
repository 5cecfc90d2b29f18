"""One Modbus/TCP connection, one request at a time, every answer held against what was asked."""

import asyncio
import struct
from typing import cast

from npms_meter_gateway.drivers.errors import (
    BadAnswer,
    LinkFault,
    NoAnswer,
    NotConnected,
    PeerClosed,
    Refused,
)
from npms_meter_gateway.drivers.modbus.pdus import Request

HEADER = struct.Struct(">HHHB")
LENGTH_MAX = 254
"""Unit id and PDU: 1 + 253."""


class Connection(asyncio.Protocol):
    """Opened by `Connection.open`. After any fault but a Modbus exception it is closed for good,

    so that a late or foreign answer can never meet a later request.
    """

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._buffer = bytearray()
        self._awaited: asyncio.Future[bytes] | None = None
        self._expects = (0, 0)
        self._transaction = 0

    @classmethod
    async def open(cls, host: str, port: int, *, timeout_s: float) -> "Connection":
        """Raises NotConnected when the address does not answer in time."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(timeout_s):
                _, connection = await loop.create_connection(cls, host, port)
        except (OSError, TimeoutError) as fault:
            raise NotConnected(f"{host}:{port}: {fault or 'no answer'}") from None
        return connection

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def ask(self, unit: int, request: Request, *, timeout_s: float) -> tuple[int, ...]:
        """What the unit answered; raises a LinkFault otherwise."""
        try:
            return request.decode(await self._transact(unit, request.encode(), timeout_s))
        except Refused:
            raise
        except LinkFault:
            self.close()
            raise

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    async def _transact(self, unit: int, pdu: bytes, timeout_s: float) -> bytes:
        if self._transport is None or self._transport.is_closing():
            raise PeerClosed("closed before the request")
        self._transaction = self._transaction % 0xFFFF + 1
        header = HEADER.pack(self._transaction, 0, len(pdu) + 1, unit)
        self._expects = (self._transaction, unit)
        self._buffer.clear()
        self._awaited = asyncio.get_running_loop().create_future()
        self._transport.write(header + pdu)
        try:
            async with asyncio.timeout(timeout_s):
                return await self._awaited
        except TimeoutError:
            raise NoAnswer(f"unit {unit}: nothing in {timeout_s:g} s") from None
        except asyncio.CancelledError:
            self.close()
            raise
        finally:
            self._awaited = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        """Bytes nobody asked for belong to nobody: they are dropped."""
        if self._awaited is None or self._awaited.done():
            return
        self._buffer += data
        try:
            answer = self._take_answer()
        except BadAnswer as fault:
            self._awaited.set_exception(fault)
            return
        if answer is not None:
            self._awaited.set_result(answer)

    def connection_lost(self, _exc: Exception | None) -> None:
        if self._awaited is not None and not self._awaited.done():
            self._awaited.set_exception(PeerClosed("the peer closed the connection"))

    def _take_answer(self) -> bytes | None:
        """The PDU once it is whole; None while bytes are missing."""
        if len(self._buffer) < HEADER.size:
            return None
        transaction, protocol, length, unit = HEADER.unpack_from(self._buffer)
        if protocol != 0:
            raise BadAnswer(f"protocol id {protocol}")
        if not 2 <= length <= LENGTH_MAX:
            raise BadAnswer(f"length {length}")
        if (transaction, unit) != self._expects:
            raise BadAnswer(f"transaction {transaction} of unit {unit}, {self._expects} was asked")
        whole = HEADER.size - 1 + length
        if len(self._buffer) > whole:
            raise BadAnswer("more bytes than the answer has")
        return bytes(self._buffer[HEADER.size :]) if len(self._buffer) == whole else None
