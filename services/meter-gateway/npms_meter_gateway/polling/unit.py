"""One meter on a bus: what it is asked, what its answers mean, when it is left alone."""

import asyncio
import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from npms_meter_gateway.domain.breaker import Breaker, BreakerPolicy
from npms_meter_gateway.domain.decoding import decode, whole
from npms_meter_gateway.domain.planning import (
    Block,
    Spot,
    limit_spots,
    plan,
    polled_spots,
    relay_spots,
    split,
    spot_of,
)
from npms_meter_gateway.domain.profile import (
    ENERGY,
    LOAD_LIMIT,
    POWER,
    RELAY,
    VOLTAGE,
    Profile,
    Relay,
)
from npms_meter_gateway.domain.reconciling import Sight, State
from npms_meter_gateway.drivers.modbus.bus import Bus, Priority
from npms_meter_gateway.drivers.modbus.errors import LinkFault, NotConnected, Refused
from npms_meter_gateway.drivers.modbus.pdus import Read, Request, WriteCoil, WriteRegister


class Suspended(LinkFault):
    """The unit did not answer lately and is left alone until `until` (loop time)."""

    cause = "suspended"

    def __init__(self, until: float) -> None:
        super().__init__("left alone after silence")
        self.until = until


@dataclass(frozen=True, slots=True)
class Polled:
    """What one poll brought; None for what the meter does not tell."""

    register_wh: int | None
    power_w: int | None
    voltage_mv: int | None
    relay: Literal["on", "off", "unknown"] | None


class Unit:
    """A unit id behind a gateway address. Its breaker counts silence, not refusals."""

    def __init__(
        self,
        bus: Bus,
        unit_id: int,
        profile: Profile,
        policy: BreakerPolicy,
        *,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.bus, self.unit_id, self.profile = bus, unit_id, profile
        self.breaker = Breaker(policy)
        self.refused: list[str] = []
        """Points the meter does not serve, not asked for any more."""
        self._jitter = jitter
        self._plan = plan(polled_spots(profile), profile.limits)

    async def poll(self, priority: Priority = Priority.BILLING) -> Polled:
        """Energy, power, voltage and relay, in as few reads as the meter allows."""
        found = await self._read_spots(priority)
        energy = self._value(ENERGY, found)
        power = self._value(POWER, found)
        voltage = self._value(VOLTAGE, found)
        relay = self.profile.relay
        return Polled(
            register_wh=None if energy is None else whole(energy),
            power_w=None if power is None else whole(power),
            voltage_mv=None if voltage is None else whole(voltage * 1000),
            relay=relay.state_of(found[RELAY][0]) if relay and RELAY in found else None,
        )

    async def look(self) -> Sight:
        """The relay's state, the load limit and the power that flows, ahead of all polls."""
        assert self.profile.relay is not None
        spots = [*relay_spots(self.profile), *limit_spots(self.profile)]
        if POWER in self.profile.points:
            spots.append(spot_of(self.profile.points[POWER]))
        found: dict[str, tuple[int, ...]] = {}
        for block in plan(spots, self.profile.limits):
            found |= await self._read(block, Priority.READ_BACK)
        power = self._value(POWER, found)
        state = self.profile.relay.state_of(found[RELAY][0])
        limit = self.profile.load_limit
        return Sight(
            state,
            None if power is None else whole(power),
            limit.limit_of(found[LOAD_LIMIT][0]) if limit else None,
        )

    async def switch(self, state: State) -> None:
        """Send the command once; that it was acknowledged proves nothing."""
        assert self.profile.relay is not None
        await self._ask(_command(self.profile.relay, state), Priority.RELAY_WRITE)

    async def limit(self, limit_w: int | None) -> None:
        """Write the load limit once; None takes it away."""
        limit = self.profile.load_limit
        assert limit is not None
        await self._ask(WriteRegister(limit.address, limit.raw_of(limit_w)), Priority.RELAY_WRITE)

    async def _read_spots(self, priority: Priority) -> dict[str, tuple[int, ...]]:
        found: dict[str, tuple[int, ...]] = {}
        blocks = list(self._plan)
        while blocks:
            block = blocks.pop(0)
            try:
                found |= await self._read(block, priority)
            except Refused as fault:
                if not fault.is_about_registers:
                    raise
                blocks = [*self._give_way(block), *blocks]
        return found

    def _give_way(self, block: Block) -> Iterable[Block]:
        """Read apart what the meter refuses together; drop what it refuses alone. Remembered."""
        at = self._plan.index(block)
        apart = split(block, self.profile.limits) if len(block.spots) > 1 else ()
        if not apart:
            self.refused.append(block.spots[0].name)
        self._plan = (*self._plan[:at], *apart, *self._plan[at + 1 :])
        return apart

    async def _read(self, block: Block, priority: Priority) -> dict[str, tuple[int, ...]]:
        words = await self._ask(Read(block.table, block.address, block.count), priority)
        return {spot.name: _cut(words, spot, block) for spot in block.spots}

    async def _ask(self, request: Request, priority: Priority) -> tuple[int, ...]:
        loop = asyncio.get_running_loop()
        if not self.breaker.allows(loop.time()):
            raise Suspended(self.breaker.closed_to)
        timeout_s = self.profile.limits.timeout_ms / 1000
        try:
            answer = await self.bus.ask(
                self.unit_id, request, timeout_s=timeout_s, priority=priority
            )
        except NotConnected:
            raise
        except Refused as fault:
            if fault.is_about_unit:
                self.breaker.fail(loop.time(), self._jitter())
            else:
                self.breaker.succeed()
            raise
        except LinkFault:
            self.breaker.fail(loop.time(), self._jitter())
            raise
        self.breaker.succeed()
        return answer

    def _value(self, name: str, found: dict[str, tuple[int, ...]]) -> Fraction | None:
        return decode(self.profile.points[name], found[name]) if name in found else None


def _cut(words: tuple[int, ...], spot: Spot, block: Block) -> tuple[int, ...]:
    start = spot.address - block.address
    return words[start : start + spot.count]


def _command(relay: Relay, state: State) -> Request:
    if relay.kind == "fc5_coil":
        return WriteCoil(relay.address, state == "on")
    return WriteRegister(relay.address, relay.value_on if state == "on" else relay.value_off)
