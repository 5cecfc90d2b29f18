"""A meter that is none of ours: libmodbus, in C, as a process, read and switched by the service."""

import asyncio
import ctypes
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from tests.integration.meter_gateway.gateway_world import (
    World,
    operating,
    operation,
    scaled_clock,
)
from tests.support import libmodbus_meter
from tests.support.databases import TestDatabase
from tests.support.wait import until

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
