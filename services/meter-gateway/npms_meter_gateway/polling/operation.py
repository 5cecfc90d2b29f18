"""Everything that speaks to meters, while this process holds the lease."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.permit import Permit
from npms_meter_gateway.handlers.follow_installations import Fingerprint, polled_installations
from npms_meter_gateway.handlers.lead import LOOK_EVERY_S, Lease, lease
from npms_meter_gateway.handlers.raise_event import raise_event, report_link
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.switch_supply import SupplyBook
from npms_meter_gateway.polling.fleet import Fleet
from npms_meter_gateway.polling.journal import Journal
from npms_meter_gateway.polling.line import Hooks, Meter
from npms_meter_gateway.polling.quality import keep_quality
from npms_meter_gateway.polling.switching import Switchman
from npms_shared.clock import Clock
from npms_shared.db.engine import Database, is_passing
from npms_shared.loops import wait_or_stop

FOLLOW_EVERY_S = 0.5

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Operation:
    """What speaking to meters needs. `cadence` is in real seconds."""

    database: Database
    clock: Clock
    profiles: Mapping[str, Profile]
    recorder: ReadingRecorder
    cadence: Cadence
    units: BreakerPolicy
    switching: SwitchingPolicy
    concurrency: int
    connects_per_s: float = 100.0

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll and switch until told to stop; what was read is written before it ends."""
        journal = Journal(
            self.database, self.recorder, self.clock, idle_power_w=self.switching.idle_power_w
        )
        while not stopping.is_set():
            try:
                async with lease(self.database) as held:
                    await self._stand_by(held, stopping)
                    if not stopping.is_set():
                        await self._lead(held, stopping, journal)
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
                await wait_or_stop(stopping, LOOK_EVERY_S)

    async def _stand_by(self, held: Lease, stopping: asyncio.Event) -> None:
        while not await held.take():
            if await wait_or_stop(stopping, LOOK_EVERY_S):
                return

    async def _lead(self, held: Lease, stopping: asyncio.Event, journal: Journal) -> None:
        fleet = Fleet(
            self.profiles,
            self.clock,
            Hooks(journal.put, self._link_changed, self._refused),
            cadence=self.cadence,
            policy=self.units,
            permit=Permit(connects_per_s=self.connects_per_s),
        )
        book = SupplyBook(self.database, self.clock, self.switching)
        switchman = Switchman(book, fleet.unit, concurrency=self.concurrency)
        works = (
            held.hold(),
            journal.run(),
            self._follow(fleet),
            switchman.run(),
            keep_quality(self.database, self.clock, fleet.buses),
        )
        tasks = [asyncio.create_task(work) for work in works]
        stop = asyncio.create_task(stopping.wait())
        try:
            done, _ = await asyncio.wait({stop, *tasks}, return_when=asyncio.FIRST_COMPLETED)
            for task in done - {stop}:
                task.result()
        finally:
            for task in (stop, *tasks):
                task.cancel()
            await asyncio.gather(stop, *tasks, return_exceptions=True)
            await fleet.close()
        await journal.flush()

    async def _follow(self, fleet: Fleet) -> None:
        known: Fingerprint | None = None
        while True:
            rows, known = await polled_installations(self.database, known)
            if rows is not None:
                await fleet.follow(rows)
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _link_changed(self, meter: Meter, is_reachable: bool, detail: str) -> None:  # noqa: FBT001
        await report_link(
            self.database,
            self.clock,
            installation_id=meter.installation_id,
            account_id=meter.account_id,
            is_reachable=is_reachable,
            detail=detail,
        )

    async def _refused(self, meter: Meter, name: str) -> None:
        async with self.database.transaction() as conn:
            await raise_event(
                conn,
                self.clock,
                installation_id=meter.installation_id,
                account_id=meter.account_id,
                kind="point_refused",
                detail=f"the meter does not serve {name}",
            )
