"""One gateway address and its meters: polls each in its turn, and tells who went silent."""

import asyncio
from heapq import heappop, heappush
from zlib import crc32

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.breaker import GatewayBreaker
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.point import Group
from npms_meter_gateway.domain.schedule import Cadence, PollSchedule, names_of
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import Lapsed, LinkFault
from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.polling.hooks import Hooks, SlowPollResult
from npms_meter_gateway.polling.meter import Meter, Turn
from npms_meter_gateway.polling.slow_poll_queue import SlowPollQueue
from npms_meter_gateway.polling.unit import Suspended
from npms_shared.clock import Clock

FIRST_POLL_WITHIN_S = 5.0
SILENT_AFTER = 2
RETRY_S = 5.0
PRIORITIES = {
    Group.BILLING: Priority.BILLING,
    Group.FAST: Priority.FAST,
    Group.SLOW: Priority.SLOW,
}

log = structlog.get_logger()


class Line:
    """Polls go one after the other, as the serial line behind the address would have it anyway;

    `depth` of them at a time where the gateway bears several requests in flight. While the
    gateway's breaker is open, nothing is asked but one probe after each of its pauses.
    """

    def __init__(
        self, bus: Bus, clock: Clock, cadence: Cadence, hooks: Hooks, breaker: GatewayBreaker
    ) -> None:
        self.bus, self.breaker = bus, breaker
        self._clock, self._cadence, self._hooks = clock, cadence, hooks
        self._intervals = cadence.intervals
        self.meters: dict[int, Meter] = {}
        self._turns: list[Turn] = []
        self._changed = asyncio.Event()
        self._slow_polls = SlowPollQueue(hooks.slow_poll)
        self._probing = asyncio.Lock()
        self._probes = 0
        self._answered_at: dict[int, float] = {}

    def add(self, meter: Meter, within_s: float = FIRST_POLL_WITHIN_S) -> None:
        """Poll it from now on: first within so many seconds, so that a start is no storm; later
        at the meter's own place in the interval, whichever process polls it.
        """
        self.meters[meter.installation_id] = meter
        phase = crc32(meter.serial.encode()) % 1000 / 1000
        now = asyncio.get_running_loop().time()
        meter.schedule = PollSchedule(
            self._intervals,
            phase=phase,
            origin=now - self._clock.wall_now().timestamp(),
            first=now + phase * min(self._cadence.billing_s, within_s),
        )
        self._put(meter, meter.schedule.next_due)

    def remove(self, installation_id: int) -> None:
        meter = self.meters.pop(installation_id, None)
        self._answered_at.pop(installation_id, None)
        if meter is not None:
            meter.turn = None
            meter.unit.leave()

    async def run(self) -> None:
        """Poll until cancelled."""
        try:
            async with asyncio.TaskGroup() as beside:
                for _ in range(self.bus.gateway.depth - 1):
                    beside.create_task(self._work())
                await self._work()
        finally:
            self._slow_polls.cancel()

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            if self.breaker.is_open:
                await self._wait_for_gateway(loop)
                continue
            turn = await self._next_turn(loop)
            if turn.meter.turn is turn:
                await self._take_turn(turn, loop)

    async def _take_turn(self, turn: Turn, loop: asyncio.AbstractEventLoop) -> None:
        meter, began = turn.meter, loop.time()
        if self.breaker.is_open:
            self._put(meter, turn.due)
            return
        groups = meter.schedule.groups_at(began)
        if not meter.missed:
            _note_lateness(meter, groups, began)
        try:
            if groups:
                await self._poll(meter, groups)
        finally:
            self._put(meter, self._due_again(meter, loop.time()))

    async def _next_turn(self, loop: asyncio.AbstractEventLoop) -> Turn:
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
        """Its next turn, instead of any it has; none for a meter that was removed."""
        if meter.installation_id in self.meters:
            meter.turn = Turn(due, meter.installation_id, meter)
            heappush(self._turns, meter.turn)
            self._changed.set()

    def _due_again(self, meter: Meter, now: float) -> float:
        """The next slot; a silent unit is probed when its breaker lets it, not at every slot."""
        breaker = meter.unit.breaker
        if breaker.is_open:
            return max(breaker.closed_to, now)
        if meter.missed:
            return now + min(self._cadence.billing_s, RETRY_S)
        return meter.schedule.next_due

    async def _wait_for_gateway(self, loop: asyncio.AbstractEventLoop) -> None:
        """One of the workers waits for the gateway's next probe and sends it, the others behind."""
        async with self._probing:
            while self.breaker.is_open and self.meters:
                await asyncio.sleep(max(self.breaker.closed_to - loop.time(), 0))
                await self._probe(loop)
            if not self.meters:
                self._changed.clear()
                await self._changed.wait()

    async def _probe(self, loop: asyncio.AbstractEventLoop) -> None:
        """Ask one unit: first the one heard last, then the others in turn."""
        candidates = sorted(self.meters.values(), key=self._heard_last)
        meter = candidates[self._probes % len(candidates)]
        self._probes += 1
        await self._poll(meter, frozenset({Group.BILLING}), probe=True)
        if not self.breaker.is_open:
            self._probes = 0
            self._resume(loop.time())

    def _heard_last(self, meter: Meter) -> float:
        return -self._answered_at.get(meter.installation_id, 0.0)

    def _resume(self, now: float) -> None:
        """The gateway is back: all its meters are due, spread as at a start."""
        spread = min(self._cadence.billing_s, FIRST_POLL_WITHIN_S)
        for meter in self.meters.values():
            if meter.is_reachable is False:
                meter.is_silence_unreported, meter.missed = True, 0
            meter.schedule.hurry(Group.BILLING, now + spread * meter.schedule.phase)
            self._put(meter, meter.schedule.next_due)

    async def _poll(self, meter: Meter, groups: frozenset[Group], *, probe: bool = False) -> None:
        names = frozenset().union(*(names_of(meter.unit.profile, group) for group in groups))
        priority = min(PRIORITIES[group] for group in groups)
        try:
            answer = await meter.unit.poll(names, priority, probe=probe)
            if not meter.is_known or meter.is_reachable is False:
                await self._hooks.returned(meter)
        except (Lapsed, Suspended) as fault:
            metrics.POLLS.labels(outcome=fault.cause).inc()
            await asyncio.sleep(0 if isinstance(fault, Suspended) else FIRST_POLL_WITHIN_S)
        except LinkFault as fault:
            metrics.POLLS.labels(outcome=fault.cause).inc()
            await self._missed(meter, fault)
        else:
            metrics.POLLS.labels(outcome="ok").inc()
            await self._saw(meter, groups, answer)

    async def _saw(self, meter: Meter, groups: frozenset[Group], answer: MeterAnswer) -> None:
        now, seen_at = asyncio.get_running_loop().time(), self._clock.now()
        meter.schedule.done(groups, now)
        self._answered_at[meter.installation_id] = now
        is_slow = Group.SLOW in groups
        points = answer.values if is_slow else None
        sight = MeterSight(meter.installation_id, seen_at, answer, points)
        await self._hooks.saw(sight)
        await self._heard(meter)
        await self._hooks.delivered(meter, sight)
        if is_slow:
            self._slow_polls.put(
                SlowPollResult(meter, seen_at, answer.values, not meter.is_slow_polled)
            )
            meter.is_slow_polled = True
        elif not meter.is_slow_polled:
            meter.schedule.hurry(Group.SLOW, now)

    async def _heard(self, meter: Meter) -> None:
        meter.missed, meter.is_known = 0, True
        if meter.is_reachable is False:
            await self._hooks.link_changed(meter, True, "answers")
        meter.is_reachable, meter.is_silence_unreported = True, False
        for name in meter.unit.driver.refused[meter.reported_refusals :]:
            meter.reported_refusals += 1
            await self._hooks.refused(meter, name)

    async def _missed(self, meter: Meter, fault: LinkFault) -> None:
        meter.missed += 1
        if self.breaker.is_open and len(self.meters) > 1:
            await self._lose_all(fault)
        elif meter.missed >= SILENT_AFTER and (
            meter.is_reachable is not False or meter.is_silence_unreported
        ):
            log.warning("meter_unreachable", serial=meter.serial, fault=str(fault))
            await self._hooks.link_changed(meter, False, f"{fault.cause}: {fault}")
            meter.is_reachable = meter.is_slow_polled = meter.is_silence_unreported = False

    async def _lose_all(self, fault: LinkFault) -> None:
        lost = [meter for meter in self.meters.values() if meter.is_reachable is not False]
        if not lost:
            return
        detail = f"{self.bus.gateway.name}: none of {len(self.meters)} meters answers; {fault}"
        log.warning("gateway_unreachable", gateway=self.bus.gateway.name, fault=str(fault))
        await self._hooks.gateway_lost(list(self.meters.values()), detail)
        for meter in lost:
            meter.is_reachable = meter.is_slow_polled = False


def _note_lateness(meter: Meter, groups: frozenset[Group], began: float) -> None:
    for group in groups:
        lateness_s = max(began - meter.schedule.due[group], 0)
        metrics.POLL_LATENESS.labels(group=group.value).observe(lateness_s)
