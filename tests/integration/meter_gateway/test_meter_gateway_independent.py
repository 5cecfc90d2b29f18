"""A meter that is none of ours: libmodbus, in C, as a process, read and switched by the service."""

import asyncio
import ctypes
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import pytest
from tests.support import libmodbus_meter
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    operating,
    operation,
    scaled_clock,
)
from tests.support.proxy import Proxy
from tests.support.wait import until

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_shared.contracts.ledger import MeterConnection
from npms_tools.stack import packages
from npms_tools.stack.errors import StackError

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
Moves = list[str]


@pytest.fixture(scope="module")
def library() -> None:
    """libmodbus, installed if need be: the library alone, a few dozen kilobytes."""
    try:
        ctypes.CDLL("libmodbus.so.5")
    except OSError:
        try:
            packages.install(["libmodbus5"], progress=lambda line: print(line, file=sys.stderr))
        except StackError as fault:
            pytest.skip(f"no libmodbus to play the meter: {fault}")


@asynccontextmanager
async def meter_of_libmodbus() -> AsyncIterator[tuple[int, Moves]]:
    """Yields its port, and what its relay has done so far."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, libmodbus_meter.__file__, stdout=asyncio.subprocess.PIPE
    )
    assert process.stdout is not None
    moves: Moves = []

    async def listen(lines: asyncio.StreamReader) -> None:
        async for line in lines:
            moves.append(line.decode().strip())

    port = int(await process.stdout.readline())
    listening = asyncio.create_task(listen(process.stdout))
    try:
        yield port, moves
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        await listening


async def test_a_meter_made_of_libmodbus_is_read_and_switched(
    library: None, database_for: MakeDatabase
) -> None:
    world = World(await database_for("meter-gateway"), scaled_clock())
    opening_wh = libmodbus_meter.BEGINS_10WH * 10
    async with meter_of_libmodbus() as (port, moves):
        connection = MeterConnection(
            serial="C0FFEE", profile="hiking_dds238_2_znsr", host="127.0.0.1", port=port, unit_id=1
        )
        await world.open(1, meter=connection, opening_register_wh=opening_wh)
        async with operating(operation(world)):

            async def read_thrice() -> bool:
                return len(await world.registers(1)) >= 3

            await until(read_thrice)
            off = await world.desire(1, "off")

            async def settled() -> bool:
                return bool((await world.supply(1)).get("settled"))

            await until(settled)
            assert moves == ["off"]
            on = await world.desire(1, "on")
            await until(settled)
    assert moves == ["off", "on"], "each command once"
    registers = await world.registers(1)
    assert registers == sorted(registers)
    assert registers[0] > opening_wh
    assert await world.reported(1) == [("off", off, True), ("on", on, True)]


class Erring:
    """Passes answers on, and errs with some: cuts them short, repeats them, holds them up."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)
        self.erred = 0

    def __call__(self, data: bytes) -> Sequence[bytes | float]:
        drawn = self._chance.random()
        self.erred += drawn < 0.2
        if drawn < 0.1:
            return [data[: -self._chance.randint(1, 12)]]
        if drawn < 0.15:
            return [data, 0.003, data]
        return [self._chance.uniform(0.05, 0.15), data] if drawn < 0.2 else [data]


@pytest.mark.parametrize("depth", [1, 8])
async def test_no_wrong_value_of_libmodbus_where_one_answer_in_five_errs(
    library: None, depth: int
) -> None:
    """Several in flight, cut anywhere; the faults that follow are told, the values are right."""
    erring, good, told = Erring(seed=depth), 0, 0
    async with meter_of_libmodbus() as (port, _):
        proxy = await Proxy("127.0.0.1", port).start()
        proxy.manner = erring
        bus = modbus_bus(Gateway("127.0.0.1", proxy.port, depth=depth))

        async def read_on(first: int) -> None:
            nonlocal good, told
            for turn in range(400 // depth + 50):
                read = Read("holding", 0x20 + (first * 7 + turn) % 0x60, 2 + (first + turn) % 20)
                try:
                    words = await bus.ask(1, read, timeout_s=0.1, priority=Priority.BILLING)
                except LinkFault:
                    told += 1
                    continue
                good += 1
                assert words == tuple(range(read.address, read.address + read.count))

        await asyncio.gather(*(read_on(first) for first in range(depth)))
        await bus.close()
        await proxy.stop()
    assert erring.erred > 15
    assert told >= erring.erred * 0.3
    assert good > 100
