"""Everything that speaks to meters, of the gateways that this process holds."""

import asyncio
from collections.abc import Coroutine, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.pacing import Pace
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.factory import Drivers
from npms_meter_gateway.drivers.line.address_check import AddressCheck
from npms_meter_gateway.drivers.line.bus import LineOptions
from npms_meter_gateway.drivers.line.permit import Permit
from npms_meter_gateway.handlers.claim_peer import claim_peer
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.follow_installations import Fingerprint, polled_installations
from npms_meter_gateway.handlers.leases import (
    LEASE_S,
    Fenced,
    LeaseHolder,
    LeaseLost,
    membership,
)
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.slow_poll_records import open_of_kind
from npms_meter_gateway.polling import open_files
from npms_meter_gateway.polling.deliveries import build_hooks
from npms_meter_gateway.polling.fleet import Fleet
from npms_meter_gateway.polling.on_demand import OnDemand
from npms_meter_gateway.polling.poll_buffer import PollBuffer
from npms_meter_gateway.polling.quality import keep_quality
from npms_meter_gateway.polling.stuck_register_watch import STUCK, StuckRegisterWatch
from npms_meter_gateway.polling.switching import SupplySwitcher
from npms_shared.db.engine import is_passing
from npms_shared.loops import wait_or_stop

FOLLOW_EVERY_S = 0.5
BACK_OFF_S = 1.0

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Operation:
    """What speaking to meters needs. `cadence` is in real seconds."""

    context: Context
    recorder: ReadingRecorder
    cadence: Cadence
    units: BreakerPolicy
    concurrency: int
    connects_per_s: float = 100.0
    lease_s: float = LEASE_S
    pace: Pace | None = None
    drivers: Drivers = field(default_factory=Drivers)

    async def run(self, stopping: asyncio.Event) -> None:
        """Poll and switch until told to stop; what was read is written before it ends."""
        poll_buffer = PollBuffer(self.recorder)
        while not stopping.is_set():
            try:
                async with membership(
                    self.context.database, ttl_s=self.lease_s, margin_s=self.lease_s / 5
                ) as worker:
                    await self._work(worker, stopping, poll_buffer)
            except LeaseLost:
                log.warning("lease_lost")
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
                await wait_or_stop(stopping, BACK_OFF_S)

    async def _work(
        self, worker: LeaseHolder, stopping: asyncio.Event, poll_buffer: PollBuffer
    ) -> None:
        fenced = replace(self.context, database=Fenced(self.context.database, worker))
        fleet = await self._fleet(fenced, worker, poll_buffer)
        switcher = SupplySwitcher(
            fenced,
            fleet.unit,
            holder=worker.worker_id,
            concurrency=self.concurrency,
            pace=self.pace,
        )
        on_demand = OnDemand(worker.worker_id, fleet.unit, self.recorder, poll_buffer.put)
        works = (
            worker.keep(),
            poll_buffer.run(),
            self._follow(worker, fleet, switcher),
            switcher.run(),
            on_demand.run(),
            keep_quality(self.context, fleet.buses),
        )
        try:
            await _until_stopped(works, stopping)
        finally:
            await fleet.close()
        await poll_buffer.flush()

    async def _fleet(self, fenced: Context, worker: LeaseHolder, poll_buffer: PollBuffer) -> Fleet:
        async with fenced.database.connect() as conn:
            stuck_watch = StuckRegisterWatch(fenced, await open_of_kind(conn, STUCK))

        async def claim(gateway: Gateway, ip: str) -> str | None:
            async with fenced.database.transaction() as conn:
                return await claim_peer(conn, gateway, ip)

        return Fleet(
            fenced.profiles,
            fenced.clock,
            build_hooks(fenced, self.recorder, poll_buffer, stuck_watch),
            cadence=self.cadence,
            policy=self.units,
            options=LineOptions(
                Permit(worker.may_speak, self.connects_per_s),
                AddressCheck(fenced.allowed, claim),
            ),
            drivers=self.drivers,
        )

    async def _follow(self, worker: LeaseHolder, fleet: Fleet, switcher: SupplySwitcher) -> None:
        """Poll what is ours, of the gateways that are ours; while the database is away, go on."""
        limit = open_files.raise_limit()
        known: Fingerprint | None = None
        while True:
            try:
                if await self._settle(worker, fleet, switcher):
                    known = None
                async with self.context.database.connect() as conn:
                    polled, known = await polled_installations(conn, worker.worker_id, known)
                if polled is not None:
                    open_files.check_limit(len(worker.held), limit)
                    await fleet.follow(polled)
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("database_away", fault=repr(fault))
            await asyncio.sleep(FOLLOW_EVERY_S)

    async def _settle(self, worker: LeaseHolder, fleet: Fleet, switcher: SupplySwitcher) -> bool:
        """Hand over what is another's share, take what is ours; whether anything changed.

        What is under way is finished first, so that a gateway never has two masters.
        """
        surplus = await worker.surplus()
        if surplus:
            await switcher.until_idle(fleet.withdraw(surplus))
            await fleet.drop_withdrawn()
            await worker.release(surplus)
        return await worker.claim() or bool(surplus)


async def _until_stopped(
    works: Sequence[Coroutine[Any, Any, None]], stopping: asyncio.Event
) -> None:
    """Run all side by side until told to stop, or until one of them fails: raises its fault."""
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
