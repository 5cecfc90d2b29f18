"""One phase: feed, watch what arrives in balances, and say how fast."""

import asyncio
import re
import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any

import asyncpg
import httpx

from npms_meter_gateway.bootstrap import build as build_gateway
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.record_readings import ReadingRecorder, Readings
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.clock import SystemClock
from npms_shared.runtime import Service, make_worker
from npms_shared.settings import read_settings
from npms_tools.bench.bare import BareGateway
from npms_tools.bench.feed import Feed, Record
from npms_tools.bench.ground import PARTITIONS, Ground
from npms_tools.bench.probe import Probe, quantiles

BOUND = 48_000
"""Readings allowed between store and balance: enough to fill every batch."""
WARM_UP_S = 5.0
DRAIN_S = 60.0
_POSTED = re.compile(r'^npms_batch_items_sum\{queue="ledger\.charges"\} ([0-9.e+]+)', re.MULTILINE)


@dataclass
class Posted:
    """How many readings have reached a balance, asked of the ledger's own metrics."""

    url: str
    count: int = 0

    async def watch(self, stopping: asyncio.Event) -> None:
        async with httpx.AsyncClient() as http:
            while not stopping.is_set():
                await self.look(http)
                await asyncio.sleep(0.05)

    async def look(self, http: httpx.AsyncClient) -> None:
        found = _POSTED.search((await http.get(f"{self.url}/metrics")).text)
        self.count = int(float(found[1])) if found else 0


@dataclass
class Bench:
    """A running phase."""

    feed: Feed
    record: Record
    posted: Posted

    def outstanding(self) -> int:
        return self.feed.accepted - self.posted.count

    async def sustained(self, seconds: float) -> float:
        """Readings per second that reached balances, after a warm-up, while fed at full speed."""
        await self._feed(WARM_UP_S)
        before = self.posted.count
        took = await self._feed(seconds)
        return (self.posted.count - before) / took

    async def paced(self, per_second: float, seconds: float, probe: Probe) -> dict[str, float]:
        """Latencies at a steady rate, in batches of a twentieth of a second."""
        await self.drain()
        chunk = max(20, int(per_second / 20))
        await self._feed(2, per_second=per_second, chunk=chunk)
        await self._feed(seconds, per_second=per_second, chunk=chunk, probe=probe)
        await self.drain()
        return quantiles(probe.latencies_ms)

    async def _feed(self, seconds: float, **options: Any) -> float:
        return await self.feed.run(
            self.record, seconds=seconds, outstanding=self.outstanding, bound=BOUND, **options
        )

    async def drain(self) -> None:
        """Until every reading that was stored is in a balance."""
        async with asyncio.timeout(DRAIN_S):
            while self.outstanding() > 0:  # noqa: ASYNC110 - another process counts
                await asyncio.sleep(0.02)


@asynccontextmanager
async def benching(
    ground: Ground, *, installations: int, opened_at: datetime, bare: bool
) -> AsyncIterator[Bench]:
    """The gateway's store and relay in this process, the rest in theirs."""
    service = _gateway(ground)
    worker = make_worker(service, work=False)
    stopping = asyncio.Event()
    posted = Posted(ground.services["ledger"].internal_url)
    tasks = [asyncio.create_task(worker.run()), asyncio.create_task(posted.watch(stopping))]
    feed = Feed(installations, int(opened_at.timestamp()))
    record = _bare_record(service, installations) if bare else _record(service)
    try:
        yield Bench(feed, record, posted)
    finally:
        stopping.set()
        worker.stop()
        await asyncio.gather(*tasks)
        await service.database.close()


def _gateway(ground: Ground) -> Service:
    environment = ground.services["meter-gateway"].environment
    prefix = "NPMS_METER_GATEWAY_"
    given = {
        name.removeprefix(prefix).lower(): value
        for name, value in environment.items()
        if name.startswith(prefix)
    }
    return build_gateway(read_settings(MeterGatewaySettings, **given))


def _record(service: Service) -> Record:
    recorder = ReadingRecorder(Context(service.database, SystemClock(), load_profiles(None)))

    async def record(readings: Readings) -> int:
        outcome = await recorder.record_readings(readings, source="bench")
        return outcome.accepted

    return record


def _bare_record(service: Service, installations: int) -> Record:
    return partial(_call, BareGateway(service.database, PARTITIONS, installations))


async def _call(gateway: BareGateway, readings: Readings) -> int:
    return await gateway.record(readings)


async def stored_bytes(ground: Ground) -> dict[str, int]:
    """Size of each database that keeps something for every reading."""
    sizes = {}
    for service in ("meter-gateway", "tariff", "ledger"):
        conn = await asyncpg.connect(ground.databases[service].migration_url)
        try:
            sizes[service] = int(await conn.fetchval("SELECT pg_database_size(current_database())"))
        finally:
            await conn.close()
    return sizes


def own_memory_mb() -> float:
    """The peak of this process, which is the gateway's store, its relay and the feeder."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000, 1)
