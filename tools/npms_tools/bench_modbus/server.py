"""A Modbus server quick enough that the client is what is measured.

Register `a` of every unit reads `a`. All requests of a segment are answered in one segment. With
`late`, that share of the answers comes 60 to 150 ms late, on whatever connection the client has by
then: so does a converter whose serial side has no memory of who asked.
"""

import argparse
import asyncio
import random
import struct
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

import uvloop

from npms_meter_gateway.drivers.modbus.framing import HEADER
from npms_meter_gateway.drivers.modbus.rtu import crc16

RTU_REQUEST = 8
LATE_S = (0.06, 0.15)


@lru_cache(maxsize=64)
def registers(function: int, address: int, count: int) -> bytes:
    """The PDU that answers a read."""
    values = range(address, address + count)
    return bytes([function, 2 * count]) + struct.pack(f">{count}H", *values)


@lru_cache(maxsize=1024)
def rtu_answer(unit: int, function: int, address: int, count: int) -> bytes:
    body = bytes([unit]) + registers(function, address, count)
    return body + struct.pack("<H", crc16(body))


def mbap_answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    """(where the next request begins, answer) for each whole request."""
    at = 0
    while len(data) - at >= HEADER.size + 5:
        transaction, _, _, unit = HEADER.unpack_from(data, at)
        pdu = registers(*struct.unpack_from(">BHH", data, at + HEADER.size))
        at += HEADER.size + 5
        yield at, HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


def rtu_answers(data: bytes) -> Iterator[tuple[int, bytes]]:
    for at in range(RTU_REQUEST, len(data) + 1, RTU_REQUEST):
        yield at, rtu_answer(*struct.unpack_from(">BBHH", data, at - RTU_REQUEST))


class Converter:
    """One listening address; `peer` is who is connected last."""

    def __init__(self, *, is_rtu: bool, late: float = 0.0, seed: int = 1) -> None:
        self.answers = rtu_answers if is_rtu else mbap_answers
        self.late, self.chance = late, random.Random(seed)
        self.peer: asyncio.Transport | None = None
        self.sent_late = 0

    def send_late(self, answer: bytes) -> None:
        self.sent_late += 1
        loop = asyncio.get_running_loop()
        loop.call_later(self.chance.uniform(*LATE_S), self._send, answer)

    def _send(self, answer: bytes) -> None:
        if self.peer is not None and not self.peer.is_closing():
            self.peer.write(answer)


class Answering(asyncio.Protocol):
    def __init__(self, converter: Converter) -> None:
        self._converter, self._rest = converter, b""
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = self._converter.peer = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        converter, at = self._converter, 0
        data = self._rest + data
        at_once: list[bytes] = []
        for at, answer in converter.answers(data):  # noqa: B007 - where the last one ended
            if converter.late and converter.chance.random() < converter.late:
                converter.send_late(answer)
            else:
                at_once.append(answer)
        self._rest = data[at:]
        if at_once and self._transport is not None:
            self._transport.write(b"".join(at_once))


async def listen(converter: Converter, port: int = 0) -> asyncio.Server:
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Answering(converter), "127.0.0.1", port, backlog=2048)


async def _serve(*, is_rtu: bool, late: float, lines: int) -> None:
    servers = [await listen(Converter(is_rtu=is_rtu, late=late, seed=n)) for n in range(lines)]
    print(*(server.sockets[0].getsockname()[1] for server in servers), flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Print the ports and serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--rtu", action="store_true")
    parser.add_argument("--late", type=float, default=0.0)
    parser.add_argument("--lines", type=int, default=1)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(is_rtu=chosen.rtu, late=chosen.late, lines=chosen.lines))


if __name__ == "__main__":
    main()
