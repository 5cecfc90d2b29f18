"""How many requests a gateway bears at once: asked when it is taken into use."""

import asyncio
from dataclasses import replace

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.errors import LinkFault, Refused
from npms_meter_gateway.drivers.modbus.bus import Bus
from npms_meter_gateway.drivers.modbus.pdus import Read

ROUNDS = 3


async def probe_depth(
    gateway: Gateway, unit: int, read: Read, *, most: int = 8, timeout_s: float = 1.0
) -> int:
    """The largest of `most`, its half, … that was answered whole, every time; 1 if none was.

    Raises a LinkFault when the unit does not answer even a single request. A refusal is an answer.
    """
    if gateway.transport != "modbus_tcp":
        return 1
    await _ask_together(replace(gateway, depth=1), unit, read, timeout_s)
    depth = most
    while depth > 1:
        try:
            await _ask_together(replace(gateway, depth=depth), unit, read, timeout_s * depth)
        except LinkFault:
            depth //= 2
        else:
            return depth
    return 1


async def _ask_together(gateway: Gateway, unit: int, read: Read, timeout_s: float) -> None:
    bus = Bus(gateway)
    try:
        for _ in range(ROUNDS if gateway.depth > 1 else 1):
            asked = (
                bus.ask(unit, read, timeout_s=timeout_s, priority=Priority.ON_DEMAND)
                for _ in range(gateway.depth)
            )
            for answer in await asyncio.gather(*asked, return_exceptions=True):
                if isinstance(answer, BaseException) and not isinstance(answer, Refused):
                    raise answer
    finally:
        await bus.close()
