"""What is looked at seldom: clock, log, status and phases of a meter; and whether it counts."""

from collections.abc import Mapping
from fractions import Fraction

import structlog

from npms_meter_gateway.domain.decoding import whole
from npms_meter_gateway.domain.event_kinds import KINDS
from npms_meter_gateway.domain.log_reading import news_of
from npms_meter_gateway.domain.phases import VOLTAGES, looked_for_in, unrest_of
from npms_meter_gateway.domain.profile import SERIAL
from npms_meter_gateway.domain.ratio_check import ratio_shown
from npms_meter_gateway.domain.records import EventLog, LogEntry
from npms_meter_gateway.domain.stillness import Stillness
from npms_meter_gateway.drivers.driver import HasClock, HasEvents, HasStatus, Priority
from npms_meter_gateway.drivers.errors import Refused
from npms_meter_gateway.handlers.note_rounds import RoundBook, who_of
from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.polling.line import Meter, SlowRound

WALKS = 3
"""How often a log is read again that grew while it was read."""
STUCK = "stuck_register"
RATIO = "ratio_changed"

log = structlog.get_logger()


class Rounds:
    """Hooks of a line. One step of a round that a meter refuses does not keep the others back."""

    def __init__(self, book: RoundBook) -> None:
        self._book = book

    async def slow_round(self, slow: SlowRound) -> None:
        """Everything in turn; a LinkFault other than a refusal ends it until the next.

        Of a meter that is not the one installed nothing else is noted, and nothing is set.
        """
        if not await self._is_the_one_known(slow):
            return
        steps = (
            self._look_at_ratio,
            self._look_at_phases,
            self._look_at_clock,
            self._read_log,
        )
        for step in steps:
            try:
                await step(slow)
            except Refused as fault:
                log.info("slow_round_refused", serial=slow.meter.serial, fault=str(fault))

    async def _is_the_one_known(self, slow: SlowRound) -> bool:
        if SERIAL not in slow.values:
            return True
        return await self._book.note_serial(who_of(slow.meter), str(whole(slow.values[SERIAL])))

    async def _look_at_ratio(self, slow: SlowRound) -> None:
        ratio, who = ratio_shown(slow.meter.unit.profile, slow.values), who_of(slow.meter)
        if ratio is None:
            return
        recorded = await self._book.recorded_ratio(who)
        found = {} if ratio == recorded else {RATIO: f"{ratio} in the meter, {recorded} recorded"}
        await self._book.note_conditions(who, {RATIO}, found)

    async def _look_at_phases(self, slow: SlowRound) -> None:
        unit, values = slow.meter.unit, await self._with_voltages(slow)
        looked_for, found = set(looked_for_in(values)), unrest_of(values)
        if unit.profile.status and isinstance(unit.driver, HasStatus):
            shown = await unit.further(unit.driver.read_status)
            looked_for |= {kind for s in unit.profile.status for kind in s.kinds.values()}
            found |= {kind: "the meter's status shows it" for kind in shown if kind not in found}
        lasting = {kind: detail for kind, detail in found.items() if KINDS[kind].lasts}
        await self._book.note_conditions(who_of(slow.meter), looked_for, lasting)

    async def _with_voltages(self, slow: SlowRound) -> Mapping[str, Fraction]:
        """All phases at one time, also where one of them is read for every bill."""
        unit = slow.meter.unit
        if slow.values.keys() >= set(VOLTAGES) or not unit.profile.points.keys() >= set(VOLTAGES):
            return slow.values
        shown = await unit.further(lambda: unit.driver.read(VOLTAGES, Priority.SLOW))
        return {**slow.values, **shown.values}

    async def _look_at_clock(self, slow: SlowRound) -> None:
        unit, policy, who = slow.meter.unit, self._book.policy, who_of(slow.meter)
        clock, driver = unit.profile.clock, unit.driver
        if clock is None or not isinstance(driver, HasClock):
            return
        drift_s = await self._drift_s(slow.meter, driver)
        if drift_s is None:
            return
        now, state = self._book.now(), await self._book.state(who)
        judgement = policy.judge(
            drift_s, is_settable=clock.is_settable, set_on=state.clock_set_on, now=now
        )
        if judgement != "set":
            await self._book.note_clock(who, drift_s, is_wrong=judgement == "wrong")
            return
        await unit.further(lambda: driver.set_clock(policy.shown_at(self._book.now())))
        left_s = await self._drift_s(slow.meter, driver)
        after_s = drift_s if left_s is None else left_s
        is_wrong = abs(after_s) > policy.limit_s
        await self._book.note_clock(who, after_s, is_wrong=is_wrong, was_s=drift_s)

    async def _drift_s(self, meter: Meter, driver: HasClock) -> int | None:
        asked_at = self._book.now()
        shown = await meter.unit.further(driver.read_clock)
        if shown is None:
            return None
        between = asked_at + (self._book.now() - asked_at) / 2
        return self._book.policy.drift_s(shown, between)

    async def _read_log(self, slow: SlowRound) -> None:
        unit, who = slow.meter.unit, who_of(slow.meter)
        if unit.profile.events is None or not isinstance(unit.driver, HasEvents):
            return
        head = (await self._book.state(who)).log_head
        for _ in range(WALKS):
            entries, ended = await self._walk(slow.meter, unit.driver, unit.profile.events, head)
            first = await self._entry(slow.meter, unit.driver, 0)
            if (first and first.mark) == (entries[0].mark if entries else None):
                await self._book.note_log(who, news_of(entries, head, ended=ended))
                return

    async def _walk(
        self, meter: Meter, driver: HasEvents, described: EventLog, head: str | None
    ) -> tuple[list[LogEntry], bool]:
        """Entries from the newest on, and whether the log ended before its last place."""
        entries: list[LogEntry] = []
        most = 1 if head is None else described.records.count
        for number in range(most):
            entry = await self._entry(meter, driver, number)
            if entry is None:
                return entries, True
            entries.append(entry)
            if entry.mark == head:
                break
        return entries, False

    async def _entry(self, meter: Meter, driver: HasEvents, number: int) -> LogEntry | None:
        return await meter.unit.further(lambda: driver.read_entry(number))


class Lookout:
    """Watches at each poll whether a register counts what flows.

    What it remembers is gone with the process, but not which alarms are open: `stuck` has those
    installations.
    """

    def __init__(self, book: RoundBook, stuck: set[int]) -> None:
        self._book, self._stuck = book, stuck
        self._seen: dict[int, Stillness] = {}

    async def look(self, meter: Meter, sight: MeterSight) -> None:
        if sight.register_wh is None or sight.power_w is None:
            return
        seen = self._seen.setdefault(meter.installation_id, Stillness())
        moved = seen.look(sight.seen_at.timestamp(), sight.register_wh, sight.power_w)
        is_stuck = meter.installation_id in self._stuck
        if is_stuck and moved:
            await self._settle(meter, {})
        elif not is_stuck and seen.is_stuck(meter.unit.profile.resolution_wh):
            detail = f"{sight.power_w} W flow, {sight.register_wh} Wh stand still"
            await self._settle(meter, {STUCK: detail})

    async def _settle(self, meter: Meter, found: dict[str, str]) -> None:
        await self._book.note_conditions(who_of(meter), {STUCK}, found)
        (self._stuck.add if found else self._stuck.discard)(meter.installation_id)
