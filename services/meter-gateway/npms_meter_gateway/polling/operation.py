"""Everything that speaks to meters, of the gateways that this process holds."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

import structlog

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.meter_clock import IN_UTC, ClockPolicy
from npms_meter_gateway.domain.pacing import Pace
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.domain.reach import ANYTHING, Allowed
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.factory import Drivers
from npms_meter_gateway.drivers.permit import Permit
from npms_meter_gateway.drivers.reach import Reach
from npms_meter_gateway.handlers.claim_peer import claim_peer
from npms_meter_gateway.handlers.follow_installations import Fingerprint, polled_installations
from npms_meter_gateway.handlers.lead import LEASE_S, Fenced, LeaseLost, Worker, membership
from npms_meter_gateway.handlers.note_rounds import RoundBook
from npms_meter_gateway.handlers.raise_event import raise_event, report_gateway_lost, report_link
from npms_meter_gateway.handlers.read_meter import ReadRequests
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.switch_supply import SupplyBook
from npms_meter_gateway.polling import open_files
from npms_meter_gateway.polling.backfill import Backfill
from npms_meter_gateway.polling.comeback import Comeback
from npms_meter_gateway.polling.fleet import Fleet
from npms_meter_gateway.polling.journal import Journal
from npms_meter_gateway.polling.line import Hooks, Meter, SlowRound
from npms_meter_gateway.polling.on_demand import OnDemand
from npms_meter_gateway.polling.quality import keep_quality
from npms_meter_gateway.polling.rounds import STUCK, Lookout, Rounds
from npms_meter_gateway.polling.switching import Switchman
from npms_shared.clock import Clock
from npms_shared.db.engine import Database, is_passing
from npms_shared.loops import wait_or_stop

FOLLOW_EVERY_S = 0.5
BACK_OFF_S = 1.0
ROUNDS_AT_A_TIME = 4
"""After a start every meter has its slow round; the database has other things to do besides."""

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
    lease_s: float = LEASE_S
    pace: Pace | None = None
    clocks: ClockPolicy = IN_UTC
    drivers: Drivers = field(default_factory=Drivers)
    allowed: Allowed = ANYTHING

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll and switch until told to stop; what was read is written before it ends."""
        journal = Journal(
            self.database, self.recorder, self.clock, idle_power_w=self.switching.idle_power_w
        )
        while not stopping.is_set():
            try:
                async with membership(
                    self.database, ttl_s=self.lease_s, margin_s=self.lease_s / 5
                ) as worker:
                    await self._lead(worker, stopping, journal)
            except LeaseLost:
                log.warning("lease_lost")
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
                await wait_or_stop(stopping, BACK_OFF_S)

    async def _lead(self, worker: Worker, stopping: asyncio.Event, journal: Journal) -> None:
        fenced = Fenced(self.database, worker)
        rounds = RoundBook(fenced, self.clock, self.clocks)
        lookout = Lookout(rounds, await rounds.open_of_kind(STUCK))
        fleet = Fleet(
            self.profiles,
            self.clock,
            self._hooks(fenced, journal, rounds, lookout),
            cadence=self.cadence,
            policy=self.units,
            permit=Permit(worker.may_speak, self.connects_per_s),
            reach=Reach(self.allowed, partial(claim_peer, fenced)),
            drivers=self.drivers,
        )
        book = SupplyBook(fenced, self.clock, self.switching, holder=worker.worker_id)
        switchman = Switchman(book, fleet.unit, concurrency=self.concurrency, pace=self.pace)
        requests = ReadRequests(self.database, worker.worker_id)
        on_demand = OnDemand(requests, fleet.unit, self.recorder, journal.put, self.clock)
        works = (
            worker.keep(),
            journal.run(),
            self._follow(worker, fleet, switchman),
            switchman.run(),
            on_demand.run(),
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

    async def _follow(self, worker: Worker, fleet: Fleet, switchman: Switchman) -> None:
        """Poll what is ours, of the gateways that are ours; while the database is away, go on."""
        limit = open_files.raise_limit()
        known: Fingerprint | None = None
        while True:
            try:
                if await self._settle(worker, fleet, switchman):
                    known = None
                rows, known = await polled_installations(self.database, worker.worker_id, known)
                if rows is not None:
                    open_files.check_limit(len(worker.held), limit)
                    await fleet.follow(rows)
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _settle(self, worker: Worker, fleet: Fleet, switchman: Switchman) -> bool:
        """Hand over what is another's share, take what is ours; whether anything changed.

        What is under way is finished first, so that a gateway never has two masters.
        """
        surplus = await worker.surplus()
        if surplus:
            await switchman.until_idle(fleet.withdraw(surplus))
            await fleet.drop_withdrawn()
            await worker.release(surplus)
        return await worker.claim() or bool(surplus)

    def _hooks(self, fenced: Fenced, journal: Journal, book: RoundBook, lookout: Lookout) -> Hooks:
        async def link_changed(meter: Meter, is_reachable: bool, detail: str) -> None:  # noqa: FBT001
            await report_link(
                fenced,
                self.clock,
                installation_id=meter.installation_id,
                account_id=meter.account_id,
                is_reachable=is_reachable,
                detail=detail,
            )

        async def refused(meter: Meter, name: str) -> None:
            async with fenced.transaction() as conn:
                await raise_event(
                    conn,
                    self.clock,
                    installation_id=meter.installation_id,
                    account_id=meter.account_id,
                    kind="point_refused",
                    detail=f"the meter does not serve {name}",
                )

        async def gateway_lost(meters: Sequence[Meter], detail: str) -> None:
            accounts = {meter.installation_id: meter.account_id for meter in meters}
            await report_gateway_lost(fenced, self.clock, accounts, detail=detail)

        rounds, few = Rounds(book), asyncio.Semaphore(ROUNDS_AT_A_TIME)

        async def slow_round(slow: SlowRound) -> None:
            async with few:
                await rounds.slow_round(slow)

        return Hooks(
            saw=journal.put,
            link_changed=link_changed,
            refused=refused,
            gateway_lost=gateway_lost,
            slow_round=slow_round,
            returned=Comeback(book, Backfill(book, self.recorder)).returned,
            looked=lookout.look,
        )
