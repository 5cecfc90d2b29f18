"""A meter that speaks Modbus, as its profile describes it."""

from collections.abc import Collection, Iterable
from fractions import Fraction

from npms_meter_gateway.domain.decoding import decode, whole
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.planning import (
    Block,
    RegisterSpan,
    plan,
    spans_of,
    split,
    tell_apart,
)
from npms_meter_gateway.domain.profile import (
    ENERGY,
    LOAD_LIMIT,
    RELAY,
    RELAY_FAULT,
    SERIAL,
    Profile,
)
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import BadAnswer, Refused
from npms_meter_gateway.drivers.modbus.commands import command
from npms_meter_gateway.drivers.modbus.pdus import Request, WriteRegisters, read_of
from npms_meter_gateway.drivers.modbus.records import KeepsRecords, Words


class ModbusDriver(KeepsRecords):
    """A unit id on a bus. What it refuses to have read together is remembered, and read apart."""

    def __init__(self, bus: Bus, unit_id: int, profile: Profile) -> None:
        self.bus, self.unit_id, self.profile = bus, unit_id, profile
        self.refused: list[str] = []
        self._plans: dict[frozenset[str], tuple[Block, ...]] = {}

    async def read(self, names: Collection[str], priority: Priority) -> MeterAnswer:
        found = await self._read_spans(frozenset(names), priority)
        values, limit = dict(self._values(found)), self.profile.load_limit
        relay = self.profile.relay
        back, fault = (relay.read_back, relay.fault) if relay else (None, None)
        raw = found[RELAY][0] if RELAY in found else None
        return MeterAnswer(
            values=values,
            relay=None if back is None or raw is None else back.state_of(raw),
            limit_w=limit.limit_of(found[LOAD_LIMIT][0]) if limit and LOAD_LIMIT in found else None,
            armed=back is not None and raw is not None and raw == back.armed,
            relay_fault=bool(fault and found.get(RELAY_FAULT) == (fault.value,)),
        )

    async def switch(self, state: State) -> None:
        relay = self.profile.relay
        assert relay is not None
        assert relay.is_commanded
        await self._ask(await self._command(state), Priority.RELAY_WRITE)

    async def _command(self, state: State) -> Request:
        relay = self.profile.relay
        assert relay is not None
        serial_number = await self._serial_number() if relay.kind == "fc16_keyed" else None
        return command(relay, state, serial_number)

    async def _serial_number(self) -> int:
        """Read for every command: a key from the number of a meter that was exchanged is wrong."""
        shown = await self.read({SERIAL}, Priority.RELAY_WRITE)
        if SERIAL not in shown.values:
            raise BadAnswer("no serial number, from which the key follows")
        return whole(shown.values[SERIAL])

    async def limit(self, limit_w: int | None) -> None:
        limit = self.profile.load_limit
        assert limit is not None
        await self._ask(
            WriteRegisters(limit.address, (limit.raw_of(limit_w),)), Priority.RELAY_WRITE
        )

    async def _read_spans(self, names: frozenset[str], priority: Priority) -> dict[str, Words]:
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
            self._plans[names] = self._planned(names)
        return self._plans[names]

    def _planned(self, names: frozenset[str]) -> tuple[Block, ...]:
        """What is billed is read in lengths of its own, so that no other answer fits."""
        limits, served = self.profile.limits, self._served()
        blocks = plan([span for span in served if span.name in names], limits)
        if ENERGY not in names:
            return blocks
        rest = [span for span in served if span.name not in names]
        energy_first = sorted(blocks, key=lambda b: all(s.name != ENERGY for s in b.spans))
        return tell_apart(energy_first, plan(rest, limits), rest, limits)

    def _served(self) -> list[RegisterSpan]:
        everything = {*self.profile.points, RELAY, RELAY_FAULT, LOAD_LIMIT}
        return [s for s in spans_of(self.profile, everything) if s.name not in self.refused]

    def _give_way(self, names: frozenset[str], block: Block) -> Iterable[Block]:
        """Read apart what the meter refuses together; drop what it refuses alone. Remembered."""
        blocks = self._plans[names]
        at = blocks.index(block)
        apart = split(block, self.profile.limits)
        if apart == (block,):
            self.refused.append(block.spans[0].name)
            apart = ()
        self._plans[names] = (*blocks[:at], *apart, *blocks[at + 1 :])
        return apart

    async def _read(self, block: Block, priority: Priority) -> dict[str, Words]:
        words = await self._ask(read_of(block.table, block.address, block.count), priority)
        return {span.name: _cut(words, span, block) for span in block.spans}

    async def _ask(self, request: Request, priority: Priority) -> Words:
        timeout_s = self.profile.limits.timeout_ms / 1000
        return await self.bus.ask(self.unit_id, request, timeout_s=timeout_s, priority=priority)

    def _values(self, found: dict[str, Words]) -> Iterable[tuple[str, Fraction]]:
        for name, words in found.items():
            point = self.profile.points.get(name)
            value = decode(point, words) if point else None
            if value is not None:
                yield name, value


def _cut(words: Words, span: RegisterSpan, block: Block) -> Words:
    start = span.address - block.address
    return words[start : start + span.count]
