"""Ten thousand meters with little in them: `python -m npms_tools.bench_gateway.meters FIRST COUNT`.

Each listens on a loopback address of its own and counts ten Wh every ten seconds, by the clock.
"""

import argparse
import asyncio
import struct
import time
from collections.abc import Iterator
from functools import lru_cache
from typing import cast

import uvloop

PROFILE = "hiking_dds238_2_znsr"
PORT = 15502
HEADER = struct.Struct(">HHHB")
REQUEST = HEADER.size + 5
ENERGY, VOLTAGE, POWER, RELAY = 0x0A, 0x0C, 0x0E, 0x1A
STEP_S, BASE = 10.0, 100_000
"""`BASE` is the opening register of the bench's installations, in steps of 10 Wh."""
NETWORK = 250


def host_of(number: int) -> str:
    """The address of the number-th meter (from 0), of up to 62,500."""
    return f"127.8.{number // NETWORK}.{number % NETWORK + 1}"


@lru_cache(maxsize=64)
def answer(function: int, address: int, count: int, counted: int) -> bytes:
    """The PDU that answers a read while the register stands at `counted`."""
    high, low = divmod(counted, 0x10000)
    image = {ENERGY: high, ENERGY + 1: low, VOLTAGE: 2300, POWER: 3600, 0x11: 5000, RELAY: 1}
    words = [image.get(at, 0) for at in range(address, address + count)]
    return bytes([function, 2 * count]) + struct.pack(f">{count}H", *words)


def answers(data: bytes, counted: int) -> Iterator[bytes]:
    for at in range(0, len(data) - REQUEST + 1, REQUEST):
        transaction, _, _, unit = HEADER.unpack_from(data, at)
        pdu = answer(*struct.unpack_from(">BHH", data, at + HEADER.size), counted)
        yield HEADER.pack(transaction, 0, len(pdu) + 1, unit) + pdu


class Meter(asyncio.Protocol):
    """One connection; requests come whole, since each is one small segment on loopback."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        counted = BASE + int((time.monotonic() - BEGAN) / STEP_S)
        self._transport.write(b"".join(answers(data, counted)))


BEGAN = time.monotonic()


async def _serve(first: int, count: int) -> None:
    loop = asyncio.get_running_loop()
    servers = [
        await loop.create_server(Meter, host_of(number), PORT)
        for number in range(first, first + count)
    ]
    print("listening", flush=True)
    await asyncio.gather(*(server.serve_forever() for server in servers))


def main() -> None:
    """Print a line when all listen, and serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("first", type=int)
    parser.add_argument("count", type=int)
    chosen = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_serve(chosen.first, chosen.count))


if __name__ == "__main__":
    main()
