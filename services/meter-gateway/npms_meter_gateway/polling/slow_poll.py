"""What is looked at seldom: clock, log, status and phases of a meter."""

from collections.abc import Mapping
from fractions import Fraction

import structlog

from npms_meter_gateway.domain.decoding import whole
from npms_meter_gateway.domain.event_kinds import KINDS
from npms_meter_gateway.domain.new_log_entries import new_log_entries
from npms_meter_gateway.domain.phases import VOLTAGES, checkable_kinds, phase_faults_of
from npms_meter_gateway.domain.profile import SERIAL
from npms_meter_gateway.domain.ratio_check import ratio_shown
from npms_meter_gateway.domain.records import EventLog, LogEntry
from npms_meter_gateway.domain.slow_poll_state import SlowPollState
from npms_meter_gateway.drivers.driver import HasClock, HasEvents, HasStatus, Priority
from npms_meter_gateway.drivers.line.errors import Refused
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.slow_poll_records import (
    find_slow_poll_state,
    installation_of,
    note_clock,
    note_conditions,
    note_log,
    recorded_ratio,
)
from npms_meter_gateway.handlers.watch_serial import note_serial
from npms_meter_gateway.polling.hooks import SlowPollResult
from npms_meter_gateway.polling.meter import Meter
from npms_meter_gateway.polling.transactions import in_transaction

WALKS = 3
"""How often a log is read again that grew while it was read."""
RATIO = "ratio_changed"

log = structlog.get_logger()


class SlowPoll:
    """A hook of a line. A step that a meter refuses does not keep the others back."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def slow_poll(self, slow: SlowPollResult) -> None:
        """Everything in turn; a LinkFault other than a refusal ends it until the next.

        Of a meter that is not the one installed nothing else is noted, and nothing is set.
        """
        if not await self._is_the_one_known(slow):
            return
        steps = (
            self._check_ratio,
            self._check_phases,
            self._check_clock,
            self._read_log,
        )
        for step in steps:
            try:
                await step(slow)
            except Refused as fault:
                log.info("slow_round_refused", serial=slow.meter.serial, fault=str(fault))

    async def _is_the_one_known(self, slow: SlowPollResult) -> bool:
        if SERIAL not in slow.values:
            return True
        return await in_transaction(
            self._context,
            note_serial,
            installation_id=slow.meter.installation_id,
            account_id=slow.meter.account_id,
            serial=str(whole(slow.values[SERIAL])),
        )

    async def _check_ratio(self, slow: SlowPollResult) -> None:
        ratio = ratio_shown(slow.meter.unit.profile, slow.values)
        if ratio is None:
            return
        installation = installation_of(slow.meter)
        async with self._context.database.connect() as conn:
            recorded = await recorded_ratio(conn, self._context, installation)
        found = {} if ratio == recorded else {RATIO: f"{ratio} in the meter, {recorded} recorded"}
        await in_transaction(self._context, note_conditions, installation, {RATIO}, found)

    async def _check_phases(self, slow: SlowPollResult) -> None:
        unit, values = slow.meter.unit, await self._with_voltages(slow)
        looked_for, found = set(checkable_kinds(values)), phase_faults_of(values)
        if unit.profile.status and isinstance(unit.driver, HasStatus):
            shown = await unit.ask_driver(unit.driver.read_status)
            looked_for |= {kind for s in unit.profile.status for kind in s.kinds.values()}
            found |= {kind: "the meter's status shows it" for kind in shown if kind not in found}
        lasting = {kind: detail for kind, detail in found.items() if KINDS[kind].lasts}
        await in_transaction(
            self._context, note_conditions, installation_of(slow.meter), looked_for, lasting
        )

    async def _with_voltages(self, slow: SlowPollResult) -> Mapping[str, Fraction]:
        """All phases at one time, also where one of them is read for every bill."""
        unit = slow.meter.unit
        if slow.values.keys() >= set(VOLTAGES) or not unit.profile.points.keys() >= set(VOLTAGES):
            return slow.values
        shown = await unit.ask_driver(lambda: unit.driver.read(VOLTAGES, Priority.SLOW))
        return {**slow.values, **shown.values}

    async def _check_clock(self, slow: SlowPollResult) -> None:
        unit, policy = slow.meter.unit, self._context.clocks
        clock, driver = unit.profile.clock, unit.driver
        if clock is None or not isinstance(driver, HasClock):
            return
        drift_s = await self._drift_s(slow.meter, driver)
        if drift_s is None:
            return
        now, state = self._context.clock.now(), await self._state(slow.meter)
        judgement = policy.judge(
            drift_s, is_settable=clock.is_settable, set_on=state.clock_set_on, now=now
        )
        if judgement != "set":
            await self._note_clock(slow.meter, drift_s, is_wrong=judgement == "wrong")
            return
        await unit.ask_driver(lambda: driver.set_clock(policy.shown_at(self._context.clock.now())))
        left_s = await self._drift_s(slow.meter, driver)
        after_s = drift_s if left_s is None else left_s
        is_wrong = abs(after_s) > policy.limit_s
        await self._note_clock(slow.meter, after_s, is_wrong=is_wrong, was_s=drift_s)

    async def _note_clock(
        self, meter: Meter, drift_s: int, *, is_wrong: bool, was_s: int | None = None
    ) -> None:
        await in_transaction(
            self._context,
            note_clock,
            installation_of(meter),
            drift_s,
            is_wrong=is_wrong,
            was_s=was_s,
        )

    async def _state(self, meter: Meter) -> SlowPollState:
        async with self._context.database.connect() as conn:
            return await find_slow_poll_state(conn, installation_of(meter))

    async def _drift_s(self, meter: Meter, driver: HasClock) -> int | None:
        asked_at = self._context.clock.now()
        shown = await meter.unit.ask_driver(driver.read_clock)
        if shown is None:
            return None
        between = asked_at + (self._context.clock.now() - asked_at) / 2
        return self._context.clocks.drift_s(shown, between)

    async def _read_log(self, slow: SlowPollResult) -> None:
        unit, installation = slow.meter.unit, installation_of(slow.meter)
        if unit.profile.events is None or not isinstance(unit.driver, HasEvents):
            return
        head = (await self._state(slow.meter)).log_head
        for _ in range(WALKS):
            entries, ended = await self._walk(slow.meter, unit.driver, unit.profile.events, head)
            first = await self._entry(slow.meter, unit.driver, 0)
            if (first and first.mark) == (entries[0].mark if entries else None):
                await in_transaction(
                    self._context,
                    note_log,
                    installation,
                    new_log_entries(entries, head, ended=ended),
                )
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
        return await meter.unit.ask_driver(lambda: driver.read_entry(number))
