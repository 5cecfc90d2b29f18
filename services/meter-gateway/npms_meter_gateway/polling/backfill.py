"""A meter is back after a long silence: what it froze meanwhile comes before what it shows now."""

from datetime import datetime
from functools import partial

import structlog

from npms_meter_gateway.domain.backfill import is_trusted, may_lie_in, within
from npms_meter_gateway.domain.records import Freezes, Frozen
from npms_meter_gateway.drivers.driver import HasClock, HasFreezes
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.record_readings import ReadingRecorder, Readings
from npms_meter_gateway.handlers.slow_poll_records import (
    find_slow_poll_state,
    installation_of,
    last_reading_at,
)
from npms_meter_gateway.polling.meter import Meter

log = structlog.get_logger()


class Backfill:
    """Records what a meter froze since its last reading."""

    def __init__(self, context: Context, recorder: ReadingRecorder) -> None:
        self._context, self._recorder = context, recorder

    async def fill(self, meter: Meter) -> None:
        """A LinkFault means: not all of it yet, nothing was recorded."""
        driver = meter.unit.driver
        if not meter.unit.profile.freezes or not isinstance(driver, HasFreezes):
            return
        async with self._context.database.connect() as conn:
            last_at = await last_reading_at(conn, installation_of(meter))
        gap = self._context.clock.now() - last_at
        kept = [f for f in meter.unit.profile.freezes if may_lie_in(f, gap)]
        if kept:
            await self._fill(meter, driver, kept, last_at)

    async def _fill(
        self, meter: Meter, driver: HasFreezes, kept: list[Freezes], last_at: datetime
    ) -> None:
        now, drift_s = self._context.clock.now(), await self._drift_s(meter)
        if drift_s is None:
            log.warning("freezes_not_trusted", serial=meter.serial)
            return
        found: dict[int, int] = {}
        for freezes in sorted(kept, key=lambda each: each.every):
            rows = within(
                await self._walk(meter, driver, freezes, last_at, drift_s),
                after=last_at,
                before=now,
                policy=self._context.clocks,
                drift_s=drift_s,
            )
            found = {**dict(rows), **found}
            if len(rows) < freezes.records.count:
                break
        await self._record(meter, found)

    async def _drift_s(self, meter: Meter) -> int | None:
        """How far its clock is ahead; None where it was changed while nobody looked."""
        driver = meter.unit.driver
        if meter.unit.profile.clock is None or not isinstance(driver, HasClock):
            return 0
        asked_at = self._context.clock.now()
        shown = await meter.unit.ask_driver(driver.read_clock)
        if shown is None:
            return None
        drift_s = self._context.clocks.drift_s(shown, asked_at)
        async with self._context.database.connect() as conn:
            state = await find_slow_poll_state(conn, installation_of(meter))
        return drift_s if is_trusted(drift_s, state.drift_s) else None

    async def _walk(
        self, meter: Meter, driver: HasFreezes, freezes: Freezes, last_at: datetime, drift_s: int
    ) -> list[Frozen]:
        """The newest first, back to the last reading."""
        found: list[Frozen] = []
        for number in range(freezes.records.count):
            frozen = await meter.unit.ask_driver(partial(driver.read_frozen, freezes, number))
            if frozen is None or self._context.clocks.instant(frozen.at, drift_s) <= last_at:
                break
            found.append(frozen)
        return found

    async def _record(self, meter: Meter, found: dict[int, int]) -> None:
        if not found:
            return
        at_s, registers = (list(column) for column in zip(*sorted(found.items()), strict=True))
        ids = [meter.installation_id] * len(found)
        outcome = await self._recorder.record_readings(
            Readings(ids, at_s, registers), source="freeze"
        )
        log.info(
            "freezes_recorded", serial=meter.serial, read=len(found), accepted=outcome.accepted
        )
