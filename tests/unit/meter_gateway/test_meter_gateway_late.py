"""Answers that come after their time-out, on RTU over TCP, where no frame says what it answers."""

import asyncio
from dataclasses import dataclass, field

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_tools.bench_modbus.server import Converter, listen

LINES, READS = 100, 100_000
LATE = 0.02
TIMEOUT_S = 0.05
WINDOW_MS = 300
"""Answers come at most 100 ms after the time-out; the rest is for a machine that is busy."""
BLOCKS = (0, 1000)


@dataclass(slots=True)
class Found:
    good: int = 0
    wrong: list[tuple[int, ...]] = field(default_factory=list)
    faults: int = 0


async def read_on(bus: Bus, found: Found) -> None:
    """The two blocks in turn, until all lines together have enough."""
    turn = 0
    while found.good < READS:
        turn += 1
        address = BLOCKS[turn % 2]
        read = Read("input", address, 10)
        try:
            words = await bus.ask(1, read, timeout_s=TIMEOUT_S, priority=Priority.BILLING)
        except LinkFault:
            found.faults += 1
            continue
        found.good += 1
        if words != tuple(range(address, address + 10)):
            found.wrong.append(words)


async def test_t1_no_wrong_value_in_100_000_reads_with_two_in_a_hundred_late() -> None:
    """Late answers come on whatever connection is open by then, as from a serial server."""
    converters = [Converter(is_rtu=True, late=LATE, seed=seed) for seed in range(LINES)]
    servers = [await listen(converter) for converter in converters]
    ports = [server.sockets[0].getsockname()[1] for server in servers]
    buses = [
        modbus_bus(Gateway("127.0.0.1", port, "rtu_over_tcp", pause_ms=0, late_window_ms=WINDOW_MS))
        for port in ports
    ]
    found = Found()
    await asyncio.gather(*(read_on(bus, found) for bus in buses))
    for bus in buses:
        await bus.close()
    for server in servers:
        server.close()
    assert found.good >= READS
    assert found.wrong == []
    late = sum(converter.sent_late for converter in converters)
    assert late > READS * LATE * 0.8, "the test must have had late answers"
    assert found.faults >= late * 0.9
