"""A meter tried with each profile, through the gateway's own line and checks."""

from collections.abc import Iterable
from fractions import Fraction

from npms_meter_gateway.domain.planning import Block, RegisterSpan, plan, split
from npms_meter_gateway.domain.probing import (
    Found,
    Trial,
    Words,
    all_spans,
    identifying_spans,
    try_profile,
)
from npms_meter_gateway.domain.profile import Limits, Profile
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import NoAnswer, Refused
from npms_meter_gateway.drivers.modbus.pdus import read_of

Values = dict[str, Fraction]


class Unit:
    """A unit of which every block is read once only, whatever profile asks for it.

    Raises a LinkFault where the gateway is not reached or the unit has never answered.
    """

    def __init__(self, bus: Bus, unit_id: int) -> None:
        self._bus, self._unit_id = bus, unit_id
        self._known: dict[tuple[str, int, int], Words | None] = {}
        self._has_answered = False

    async def find(self, spans: Iterable[RegisterSpan], limits: Limits) -> Found:
        """What stands in each span; None for one that is refused, or only silence follows."""
        found: dict[str, Words | None] = {}
        blocks = list(plan(spans, limits))
        while blocks:
            block = blocks.pop(0)
            words = await self._words(block, limits)
            if words is None and len(block.spans) > 1:
                blocks = [*split(block, limits), *blocks]
                continue
            for span in block.spans:
                start = span.address - block.address
                found[span.name] = None if words is None else words[start : start + span.count]
        return found

    async def _words(self, block: Block, limits: Limits) -> Words | None:
        place = (block.table, block.address, block.count)
        if place not in self._known:
            self._known[place] = await self._asked(block, limits)
        return self._known[place]

    async def _asked(self, block: Block, limits: Limits) -> Words | None:
        try:
            words = await self._bus.ask(
                self._unit_id,
                read_of(block.table, block.address, block.count),
                timeout_s=limits.timeout_ms / 1000,
                priority=Priority.ON_DEMAND,
            )
        except Refused as fault:
            if fault.is_about_unit:
                raise
            self._has_answered = True
            return None
        except NoAnswer:
            if not self._has_answered:
                raise
            return None
        self._has_answered = True
        return words


async def try_all(unit: Unit, profiles: Iterable[Profile]) -> list[Trial]:
    """Every Modbus profile in every order of bytes that tells: what rules it out, or nothing."""
    modbus = [profile for profile in profiles if profile.driver == "modbus"]
    return [trial for profile in modbus for trial in await _try(unit, profile)]


async def _try(unit: Unit, profile: Profile) -> list[Trial]:
    """The whole map is read only where the telling registers rule nothing out."""
    trials = try_profile(profile, await unit.find(identifying_spans(profile), profile.limits))
    if not any(trial.fits for trial in trials):
        return trials
    return try_profile(profile, await unit.find(all_spans(profile), profile.limits))
