"""One gateway address: a socket with several meters behind it, answering in turn as a line does."""

import asyncio
import socket
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, cast

from npms_tools.street import device
from npms_tools.street.faults import Faults
from npms_tools.street.framing import FRAMINGS, Framing, Request, Transport
from npms_tools.street.journal import Journal
from npms_tools.street.meter import Meter

BACKLOG = 256
PIECE_GAP_S = 0.005
"""Between the pieces of an answer that comes split."""
BITS_A_BYTE = 10
"""8N1: a start bit, eight of data, a stop bit."""
_LINGER_NOT = struct.pack("ii", 1, 0)


@dataclass(frozen=True, slots=True)
class Line:
    """How long a request keeps a serial line busy; a unit that is silent keeps it `timeout_ms`."""

    baud: int
    turnaround_ms: int = 60
    timeout_ms: int = 1000

    def takes_s(self, asked: int, answered: int) -> float:
        """Seconds for a request and an answer of so many bytes; no answer is a time-out."""
        if not answered:
            return self.timeout_ms / 1000
        return (asked + answered) * BITS_A_BYTE / self.baud + self.turnaround_ms / 1000


@dataclass(frozen=True, slots=True)
class Reply:
    """What goes back: pieces one after the other, then perhaps the end of the connection."""

    pieces: tuple[bytes, ...] = ()
    late_s: float = 0.0
    end: Literal["", "close", "reset"] = ""

    @property
    def size(self) -> int:
        return sum(map(len, self.pieces))


SILENCE = Reply()


class GatewaySocket:
    """Answers for its units, every complete request of a segment, in one write where it can.

    With a `line` its requests wait for each other as on a serial bus, whoever sent them. `is_mute`
    accepts connections and never answers. At most `max_clients` are served at a time.
    """

    def __init__(
        self,
        meters: Mapping[int, Meter],
        now_ms: Callable[[], int],
        *,
        transport: Transport = "modbus_tcp",
        line: Line | None = None,
        max_clients: int | None = None,
        journal: Journal | None = None,
    ) -> None:
        self.meters, self._now_ms = meters, now_ms
        self.framing: Framing = FRAMINGS[transport]
        self.line, self.max_clients = line, max_clients
        self.journal = journal or Journal()
        self.is_mute = False
        self.connections: set[Connection] = set()
        self.free_at = 0.0
        self._server: asyncio.Server | None = None
        self._last = b""

    async def start(self, host: str, port: int) -> int:
        """Listen; returns the port, which the system chose if 0 was asked for."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: Connection(self), host, port, backlog=BACKLOG
        )
        chosen: int = self._server.sockets[0].getsockname()[1]
        return chosen

    async def stop(self) -> None:
        """Stop listening and drop who is connected."""
        if self._server is None:
            return
        self._server.close()
        for connection in list(self.connections):
            connection.end("close")
        self._server = None

    def takes_client(self) -> bool:
        return self.max_clients is None or len(self.connections) < self.max_clients

    def reply(self, request: Request) -> Reply:
        """What the line brings back of a request."""
        meter = self.meters.get(request.unit)
        if self.is_mute:
            return SILENCE
        if meter is None:
            return self._frame(request, device.refusal(request.pdu, device.NO_TARGET))
        meter.advance(self._now_ms())
        for end in ("close", "reset"):
            if meter.strikes(end):
                return Reply(end=end)
        if meter.strikes("silent"):
            return SILENCE
        return self._spoiled(meter, request, self._pdu(meter, request.pdu))

    def _pdu(self, meter: Meter, pdu: bytes) -> bytes:
        struck = meter.strikes("exception")
        if struck is None:
            return device.answer(meter, pdu)
        code = struck.exception_code if isinstance(struck, Faults) else struck.code
        return device.refusal(pdu, code)

    def _spoiled(self, meter: Meter, request: Request, pdu: bytes) -> Reply:
        """The answer as it arrives: mostly as it was meant."""
        if request.pdu[0] in device.WRITES and meter.strikes("drop_ack"):
            return SILENCE
        if meter.strikes("short"):
            pdu = _shortened(pdu)
        transaction = request.transaction ^ 1 if meter.strikes("wrong_transaction") else None
        unit = request.unit + 1 if meter.strikes("wrong_unit") else None
        reply = self._frame(request, pdu, unit=unit, transaction=transaction)
        struck = meter.strikes("late")
        late_ms = 0
        if struck is not None:
            late_ms = struck.late_ms if isinstance(struck, Faults) else struck.delay_ms
        return Reply(self._torn(meter, reply.pieces[0]), late_s=late_ms / 1000)

    def _torn(self, meter: Meter, frame: bytes) -> tuple[bytes, ...]:
        if meter.strikes("corrupt"):
            frame = self.framing.spoil(frame)
        before, self._last = self._last, frame
        if meter.strikes("glued"):
            return (frame + (before or frame),)
        middle = len(frame) // 2
        if meter.strikes("partial"):
            return (frame[:middle],)
        if meter.strikes("split"):
            return frame[:1], frame[1:middle], frame[middle:]
        return (frame,)

    def _frame(
        self,
        request: Request,
        pdu: bytes,
        *,
        unit: int | None = None,
        transaction: int | None = None,
    ) -> Reply:
        unit = request.unit if unit is None else unit
        transaction = request.transaction if transaction is None else transaction
        return Reply((self.framing.wrap(unit, pdu, transaction),))

    def leaves_at(self, request: Request, reply: Reply, now_s: float) -> float:
        """When the answer is complete (loop time); `now_s` where nothing holds it up."""
        takes_s = reply.late_s
        if self.line is not None:
            takes_s += self.line.takes_s(len(request.pdu) + 3, reply.size)
        if takes_s or self.free_at > now_s:
            self.free_at = max(self.free_at, now_s) + takes_s
        return max(self.free_at, now_s)


class Connection(asyncio.Protocol):
    """One client of a gateway address."""

    def __init__(self, gateway: GatewaySocket) -> None:
        self._gateway = gateway
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None
        self._loop = asyncio.get_running_loop()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        if not self._gateway.takes_client():
            transport.close()
            return
        self._gateway.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own
        self._gateway.connections.discard(self)
        self._transport = None

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        ready = bytearray()
        now_s = self._loop.time()
        for request in self._gateway.framing.split(self._buffer):
            reply = self._gateway.reply(request)
            at_s = self._gateway.leaves_at(request, reply, now_s)
            if at_s <= now_s and len(reply.pieces) == 1 and not reply.end:
                ready += reply.pieces[0]
                continue
            self._write(bytes(ready))
            ready.clear()
            self._loop.call_at(at_s, self._send, reply)
        self._write(bytes(ready))

    def _send(self, reply: Reply) -> None:
        for number, piece in enumerate(reply.pieces):
            if number:
                self._loop.call_later(number * PIECE_GAP_S, self._write, piece)
            else:
                self._write(piece)
        if reply.end:
            self.end(reply.end)

    def _write(self, data: bytes) -> None:
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def end(self, how: Literal["close", "reset"]) -> None:
        """Close in good order, or as a peer that was switched off."""
        if self._transport is None:
            return
        if how == "reset":
            sock = self._transport.get_extra_info("socket")
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _LINGER_NOT)
            self._transport.abort()
        else:
            self._transport.close()


def _shortened(answer: bytes) -> bytes:
    """One register less than was asked for, and a byte count that admits it."""
    if answer[0] not in {3, 4} or len(answer) < 6:
        return answer
    return bytes([answer[0], answer[1] - 2]) + answer[2:-2]
