"""Peers that are served from a test, the bus that asks them, and what a line delivers."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.polling.hooks import Hooks
from npms_meter_gateway.polling.line import Line
from npms_meter_gateway.polling.meter import Meter

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def listening(serve: Serve) -> AsyncIterator[int]:
    """The port on which connections are served."""
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def asking(gateway: Gateway) -> AsyncIterator[Bus]:
    """The bus of a gateway, closed at the end."""
    bus = modbus_bus(gateway)
    try:
        yield bus
    finally:
        await bus.close()


@asynccontextmanager
async def polling(line: Line) -> AsyncIterator[None]:
    """Runs a line; closes its bus at the end."""
    task = asyncio.create_task(line.run())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
        await line.bus.close()


@dataclass
class Deliveries:
    """Counts what a line delivers."""

    polls: Counter[int] = field(default_factory=Counter)
    links: list[tuple[int, bool]] = field(default_factory=list)
    refused: list[tuple[int, str]] = field(default_factory=list)
    lost: list[int] = field(default_factory=list)

    async def saw(self, sight: MeterSight) -> None:
        self.polls[sight.installation_id] += 1

    async def link_changed(self, meter: Meter, is_reachable: bool, _detail: str) -> None:  # noqa: FBT001
        self.links.append((meter.installation_id, is_reachable))

    async def point_refused(self, meter: Meter, name: str) -> None:
        self.refused.append((meter.installation_id, name))

    async def gateway_lost(self, meters: Sequence[Meter], _detail: str) -> None:
        self.lost.append(len(meters))

    def hooks(self) -> Hooks:
        return Hooks(self.saw, self.link_changed, self.point_refused, self.gateway_lost)
