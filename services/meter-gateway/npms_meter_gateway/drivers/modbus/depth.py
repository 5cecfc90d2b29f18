"""How many requests a gateway bears at once: asked when it is taken into use."""

import asyncio
from contextlib import suppress
from dataclasses import replace

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import BadAnswer, Refused
from npms_meter_gateway.drivers.modbus.framing import HEADER, Mbap
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read

REPEATS = 3
FRAMING = Mbap()


async def probe_depth(
    gateway: Gateway, unit: int, read: Read, *, most: int = 8, timeout_s: float = 1.0
) -> int:
    """The largest of `most`, its half, … that was answered whole, every time; 1 if none was.

    Raises a LinkFault when the unit does not answer even a single request. A refusal is an answer.
    """
    if gateway.transport != "modbus_tcp":
        return 1
    await _ask_once(gateway, unit, read, timeout_s)
    depth = most
    while depth > 1:
        if await _bears(gateway, unit, read, depth, timeout_s):
            return depth
        depth //= 2
    return 1


async def _ask_once(gateway: Gateway, unit: int, read: Read, timeout_s: float) -> None:
    bus = modbus_bus(replace(gateway, depth=1))
    try:
        with suppress(Refused):
            await bus.ask(unit, read, timeout_s=timeout_s, priority=Priority.ON_DEMAND)
    finally:
        await bus.close()


async def _bears(gateway: Gateway, unit: int, read: Read, depth: int, timeout_s: float) -> bool:
    """Whether all are answered that come in one segment, where gateways lose what follows."""
    try:
        reader, writer = await asyncio.open_connection(gateway.host, gateway.port)
    except OSError:
        return False
    try:
        for turn in range(REPEATS):
            asked = set(range(turn * depth + 1, (turn + 1) * depth + 1))
            writer.write(b"".join(FRAMING.wrap(n, unit, read.encode()) for n in asked))
            while asked:
                async with asyncio.timeout(timeout_s):
                    asked.remove(await _hear(reader, unit, read))
    except (OSError, EOFError, TimeoutError, BadAnswer, KeyError):
        return False
    finally:
        writer.close()
    return True


async def _hear(reader: asyncio.StreamReader, unit: int, read: Read) -> int:
    """The transaction of the next answer; raises BadAnswer where it is none to this read."""
    head = await reader.readexactly(HEADER.size)
    rest = await reader.readexactly(max(int.from_bytes(head[4:6], "big") - 1, 0))
    frame = FRAMING.first(head + rest)
    if frame is None or frame[1] != unit:
        raise BadAnswer("the answer of another unit", "wrong_unit")
    with suppress(Refused):
        read.decode(frame[2])
    return frame[0]
