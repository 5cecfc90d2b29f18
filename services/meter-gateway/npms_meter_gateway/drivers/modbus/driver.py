"""A meter that speaks Modbus, as its profile describes it."""

from collections.abc import Collection, Iterable
from fractions import Fraction

from npms_meter_gateway.domain.decoding import decode
from npms_meter_gateway.domain.planning import Block, Spot, plan, split, spots_of
from npms_meter_gateway.domain.profile import LOAD_LIMIT, RELAY, Profile
from npms_meter_gateway.domain.reconciling import State
from npms_meter_gateway.domain.relay import Relay
from npms_meter_gateway.drivers.driver import Priority, Shown
from npms_meter_gateway.drivers.errors import Refused
from npms_meter_gateway.drivers.modbus.bus import Bus
from npms_meter_gateway.drivers.modbus.pdus import Read, Request, WriteCoil, WriteRegister

Words = tuple[int, ...]


class ModbusDriver:
    """A unit id on a bus. What it refuses to have read together is remembered, and read apart."""

    def __init__(self, bus: Bus, unit_id: int, profile: Profile) -> None:
        self.bus, self.unit_id, self.profile = bus, unit_id, profile
        self.refused: list[str] = []
        self._plans: dict[frozenset[str], tuple[Block, ...]] = {}

    async def read(self, names: Collection[str], priority: Priority) -> Shown:
        found = await self._read_spots(frozenset(names), priority)
        relay, limit = self.profile.relay, self.profile.load_limit
        return Shown(
            values=dict(self._values(found)),
            relay=relay.state_of(found[RELAY][0]) if relay and RELAY in found else None,
            limit_w=limit.limit_of(found[LOAD_LIMIT][0]) if limit and LOAD_LIMIT in found else None,
        )

    async def switch(self, state: State) -> None:
        assert self.profile.relay is not None
        await self._ask(_command(self.profile.relay, state), Priority.RELAY_WRITE)

    async def limit(self, limit_w: int | None) -> None:
        limit = self.profile.load_limit
        assert limit is not None
        await self._ask(WriteRegister(limit.address, limit.raw_of(limit_w)), Priority.RELAY_WRITE)

    async def _read_spots(self, names: frozenset[str], priority: Priority) -> dict[str, Words]:
        found: dict[str, Words] = {}
        blocks = list(self._plan_of(names))
        while blocks:
            block = blocks.pop(0)
            try:
                found |= await self._read(block, priority)
            except Refused as fault:
                if not fault.is_about_registers:
                    raise
                blocks = [*self._give_way(names, block), *blocks]
        return found

    def _plan_of(self, names: frozenset[str]) -> tuple[Block, ...]:
        if names not in self._plans:
            spots = [s for s in spots_of(self.profile, names) if s.name not in self.refused]
            self._plans[names] = plan(spots, self.profile.limits)
        return self._plans[names]

    def _give_way(self, names: frozenset[str], block: Block) -> Iterable[Block]:
        """Read apart what the meter refuses together; drop what it refuses alone. Remembered."""
        blocks = self._plans[names]
        at = blocks.index(block)
        apart = split(block, self.profile.limits) if len(block.spots) > 1 else ()
        if not apart:
            self.refused.append(block.spots[0].name)
        self._plans[names] = (*blocks[:at], *apart, *blocks[at + 1 :])
        return apart

    async def _read(self, block: Block, priority: Priority) -> dict[str, Words]:
        words = await self._ask(Read(block.table, block.address, block.count), priority)
        return {spot.name: _cut(words, spot, block) for spot in block.spots}

    async def _ask(self, request: Request, priority: Priority) -> Words:
        timeout_s = self.profile.limits.timeout_ms / 1000
        return await self.bus.ask(self.unit_id, request, timeout_s=timeout_s, priority=priority)

    def _values(self, found: dict[str, Words]) -> Iterable[tuple[str, Fraction]]:
        for name, words in found.items():
            point = self.profile.points.get(name)
            value = decode(point, words) if point else None
            if value is not None:
                yield name, value


def _cut(words: Words, spot: Spot, block: Block) -> Words:
    start = spot.address - block.address
    return words[start : start + spot.count]


def _command(relay: Relay, state: State) -> Request:
    if relay.kind == "fc5_coil":
        return WriteCoil(relay.address, state == "on")
    return WriteRegister(relay.address, relay.value_on if state == "on" else relay.value_off)
