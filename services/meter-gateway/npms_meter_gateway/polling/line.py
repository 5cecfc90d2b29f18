"""One gateway address and its meters: polls each in its turn, and tells who went silent."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from heapq import heappop, heappush
from zlib import crc32

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.drivers.errors import LinkFault
from npms_meter_gateway.drivers.modbus.bus import Bus
from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.polling.unit import Unit
from npms_shared.clock import Clock

FIRST_ROUND_S = 5.0
SILENT_AFTER = 2
RETRY_S = 5.0

log = structlog.get_logger()


@dataclass(slots=True)
class Meter:
    """A polled installation. `missed` counts polls in a row that brought nothing."""

    installation_id: int
    account_id: int
    serial: str
    unit: Unit
    is_reachable: bool | None = None
    missed: int = 0
    told_refused: int = 0


@dataclass(slots=True, order=True)
class _Turn:
    due: float
    installation_id: int
    meter: Meter = field(compare=False)


LinkChanged = Callable[[Meter, bool, str], Awaitable[None]]
Refusal = Callable[[Meter, str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where a line delivers: sights of meters, changes of reach, points a meter does not serve."""

    saw: Callable[[MeterSight], Awaitable[None]]
    link_changed: LinkChanged
    refused: Refusal


class Line:
    """Polls go one after the other, as the serial line behind the address would have it anyway."""

    def __init__(self, bus: Bus, clock: Clock, interval_s: float, hooks: Hooks) -> None:
        self.bus, self._clock, self._interval_s, self._hooks = bus, clock, interval_s, hooks
        self.meters: dict[int, Meter] = {}
        self._turns: list[_Turn] = []
        self._changed = asyncio.Event()

    def add(self, meter: Meter) -> None:
        """Poll it from now on; first polls are spread, so that a start is no storm."""
        self.meters[meter.installation_id] = meter
        spread = min(self._interval_s, FIRST_ROUND_S)
        share = crc32(meter.serial.encode()) % 1000 / 1000
        self._put(meter, asyncio.get_running_loop().time() + spread * share)

    def remove(self, installation_id: int) -> None:
        self.meters.pop(installation_id, None)

    async def run(self) -> None:
        """Poll until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            turn = await self._next_turn(loop)
            if self.meters.get(turn.installation_id) is not turn.meter:
                continue
            metrics.POLL_LATENESS.observe(loop.time() - turn.due)
            try:
                await self._poll(turn.meter)
            finally:
                self._put(turn.meter, self._due_again(turn, loop.time()))

    async def _next_turn(self, loop: asyncio.AbstractEventLoop) -> _Turn:
        while True:
            wait_s = self._turns[0].due - loop.time() if self._turns else None
            if wait_s is not None and wait_s <= 0:
                return heappop(self._turns)
            self._changed.clear()
            try:
                async with asyncio.timeout(wait_s):
                    await self._changed.wait()
            except TimeoutError:
                continue

    def _put(self, meter: Meter, due: float) -> None:
        heappush(self._turns, _Turn(due, meter.installation_id, meter))
        self._changed.set()

    def _due_again(self, turn: _Turn, now: float) -> float:
        """The next slot; a silent unit is probed when its breaker lets it, not at every slot."""
        breaker = turn.meter.unit.breaker
        if breaker.is_open:
            return max(breaker.closed_to, now)
        if turn.meter.missed:
            return now + min(self._interval_s, RETRY_S)
        return max(turn.due + self._interval_s, now)

    async def _poll(self, meter: Meter) -> None:
        try:
            polled = await meter.unit.poll()
        except LinkFault as fault:
            metrics.POLLS.labels(outcome=fault.cause).inc()
            await self._missed(meter, fault)
            return
        metrics.POLLS.labels(outcome="ok").inc()
        await self._hooks.saw(
            MeterSight(
                installation_id=meter.installation_id,
                seen_at=self._clock.now(),
                register_wh=polled.register_wh,
                power_w=polled.power_w,
                voltage_mv=polled.voltage_mv,
                relay=polled.relay,
            )
        )
        await self._heard(meter)

    async def _heard(self, meter: Meter) -> None:
        meter.missed = 0
        if meter.is_reachable is not True:
            await self._hooks.link_changed(meter, True, "answers")
            meter.is_reachable = True
        for name in meter.unit.driver.refused[meter.told_refused :]:
            meter.told_refused += 1
            await self._hooks.refused(meter, name)

    async def _missed(self, meter: Meter, fault: LinkFault) -> None:
        meter.missed += 1
        if meter.missed >= SILENT_AFTER and meter.is_reachable is not False:
            log.warning("meter_unreachable", serial=meter.serial, fault=str(fault))
            await self._hooks.link_changed(meter, False, f"{fault.cause}: {fault}")
            meter.is_reachable = False
