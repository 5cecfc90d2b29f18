"""A client under measurement, in a process of its own: reads as fast as its connections allow.

Prints one line of JSON: reads, seconds of wall and of processor, faults, and values that were not
those of the registers asked for.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import astuple, dataclass
from typing import Any

import uvloop

from npms_meter_gateway.domain.gateway import Gateway, Transport
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read

UNIT = 1
COUNTED = ("reads", "faults", "wrong")
WARM_UP_S = 0.3
Reading = Callable[[int], Awaitable[bool | None]]
"""Makes the nth read; True when right, False when wrong, None without an answer."""


@dataclass(slots=True)
class Counts:
    reads: int = 0
    faults: int = 0
    wrong: int = 0
    is_over: bool = False


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked: blocks of `count` registers in turn, all of unit 1."""

    ports: tuple[int, ...]
    connections: int
    seconds: float
    count: int
    blocks: int
    depth: int
    timeout_s: float
    late_window_ms: int

    def port(self, connection: int) -> int:
        """Connections are dealt to the addresses in turn."""
        return self.ports[connection % len(self.ports)]

    @property
    def addresses(self) -> list[int]:
        return [1000 * block for block in range(self.blocks)]


def of_bus(load: Load, transport: Transport) -> tuple[list[Reading], Callable[[], Awaitable[None]]]:
    buses = [
        modbus_bus(
            Gateway(
                "127.0.0.1",
                load.port(number),
                transport,
                depth=load.depth,
                pause_ms=0,
                late_window_ms=load.late_window_ms,
            )
        )
        for number in range(load.connections)
    ]
    reads = [Read("input", address, load.count) for address in load.addresses]
    expected = [tuple(range(address, address + load.count)) for address in load.addresses]

    def reading(bus: Bus) -> Reading:
        async def read(turn: int) -> bool | None:
            at = turn % len(reads)
            try:
                words = await bus.ask(
                    UNIT, reads[at], timeout_s=load.timeout_s, priority=Priority.BILLING
                )
            except LinkFault:
                return None
            return words == expected[at]

        return read

    async def close() -> None:
        for bus in buses:
            await bus.close()

    return [reading(bus) for bus in buses for _ in range(load.depth)], close


async def of_pymodbus(
    load: Load, *, is_rtu: bool
) -> tuple[list[Reading], Callable[[], Awaitable[None]]]:
    from pymodbus import FramerType
    from pymodbus.client import AsyncModbusTcpClient
    from pymodbus.exceptions import ModbusException

    framer = FramerType.RTU if is_rtu else FramerType.SOCKET
    clients: list[Any] = [
        AsyncModbusTcpClient(
            "127.0.0.1", port=load.port(number), framer=framer, timeout=load.timeout_s
        )
        for number in range(load.connections)
    ]
    for client in clients:
        await client.connect()
    expected = [list(range(address, address + load.count)) for address in load.addresses]

    def reading(client: Any) -> Reading:
        async def read(turn: int) -> bool | None:
            at = turn % load.blocks
            try:
                answer = await client.read_input_registers(
                    load.addresses[at], count=load.count, device_id=UNIT
                )
            except ModbusException:
                await asyncio.sleep(0)
                return None
            return None if answer.isError() else answer.registers == expected[at]

        return read

    async def close() -> None:
        for client in clients:
            client.close()

    return [reading(client) for client in clients], close


async def measure(load: Load, subject: str) -> dict[str, Any]:
    """Let all connections read for the time, and count."""
    if subject.startswith("pymodbus"):
        readings, close = await of_pymodbus(load, is_rtu=subject.endswith("rtu"))
    else:
        readings, close = of_bus(load, "rtu_over_tcp" if subject == "rtu" else "modbus_tcp")
    counts = Counts()
    tasks = [asyncio.create_task(_read_on(reading, counts)) for reading in readings]
    await asyncio.sleep(WARM_UP_S)
    before, began, cpu = astuple(counts), time.monotonic(), time.process_time()
    await asyncio.sleep(load.seconds)
    wall_s, cpu_s = time.monotonic() - began, time.process_time() - cpu
    found = [now - then for now, then in zip(astuple(counts), before, strict=True)]
    counts.is_over = True  # not cancelled: pymodbus takes that for a fault like others
    await asyncio.gather(*tasks)
    await close()
    return {**dict(zip(COUNTED, found, strict=False)), "wall_s": wall_s, "cpu_s": cpu_s}


async def _read_on(read: Reading, counts: Counts) -> None:
    turn = 0
    while not counts.is_over:
        turn += 1
        is_right = await read(turn)
        if is_right is None:
            counts.faults += 1
        else:
            counts.reads += 1
            counts.wrong += not is_right


def _ports(given: str) -> tuple[int, ...]:
    return tuple(int(port) for port in given.split(","))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("subject", choices=["bus", "rtu", "pymodbus", "pymodbus-rtu"])
    parser.add_argument("--ports", type=_ports, required=True)
    parser.add_argument("--connections", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=2)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--blocks", type=int, default=1)
    parser.add_argument("--depth", type=int, default=1)
    parser.add_argument("--timeout-s", type=float, default=2)
    parser.add_argument("--late-window-ms", type=int, default=150)
    chosen = vars(parser.parse_args())
    subject = chosen.pop("subject")
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        print(json.dumps(runner.run(measure(Load(**chosen), subject))))


if __name__ == "__main__":
    main()
