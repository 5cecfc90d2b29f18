"""Several processes share the gateways; none is ever spoken to by two."""

import asyncio
import json
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
from tests.support import wait
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, operation
from tests.support.recording_gateway import PROFILE, RecordingGateway

from npms_meter_gateway.handlers.leases import Fenced, LeaseHolder, LeaseLost
from npms_meter_gateway.storage import leases
from npms_shared.contracts.ledger import MeterConnection

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
LEASE_S = 3.0
GATEWAYS, UNITS = 6, 2
until = partial(wait.until, within_s=90)
"""Leases that lapse because the machine is busy are taken up anew: that takes its time."""


@pytest.fixture
async def gateways(world: World) -> AsyncIterator[list[RecordingGateway]]:
    made = [RecordingGateway() for _ in range(GATEWAYS)]
    for gateway in made:
        await gateway.start()
    number = 0
    for gateway in made:
        for unit in range(1, UNITS + 1):
            number += 1
            meter = MeterConnection(
                serial=f"R{number}",
                profile=PROFILE,
                host="127.0.0.1",
                port=gateway.port,
                unit_id=unit,
            )
            await world.open(number, meter=meter, opening_register_wh=1_000_000)
    yield made
    for gateway in made:
        await gateway.stop()


@asynccontextmanager
async def process(world: World) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own; killed at the end, whatever became of it."""
    clock = world.clock
    settings = {
        "url": world.store.url,
        "anchor": clock.anchor.isoformat(),
        "start": clock.start.isoformat(),
        "interval_s": 0.1,
        "lease_s": LEASE_S,
    }
    worker = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.support.gateway_worker", json.dumps(settings)
    )
    try:
        yield worker
    finally:
        if worker.returncode is None:
            worker.kill()
        await worker.wait()


@asynccontextmanager
async def working(world: World) -> AsyncIterator[None]:
    """A worker in this process."""
    stopping = asyncio.Event()
    task = asyncio.create_task(operation(world, lease_s=LEASE_S).run(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task


async def holders(world: World) -> Counter[Any]:
    """How many gateways each worker holds."""
    rows = await world.rows("SELECT holder FROM gateway")
    return Counter(row["holder"] for row in rows)


async def _is_shared_evenly(world: World) -> bool:
    return sorted((await holders(world)).values()) == [GATEWAYS // 2] * 2


async def _all_held_by_one(world: World) -> bool:
    found = await holders(world)
    return None not in found and len(found) == 1


async def _more_readings(world: World, than: dict[int, int], by: int) -> bool:
    return all(count >= than.get(i, 0) + by for i, count in (await _counts(world)).items())


async def _counts(world: World) -> dict[int, int]:
    rows = await world.rows("SELECT installation_id AS i, count(*) AS n FROM reading GROUP BY 1")
    return dict.fromkeys(range(1, GATEWAYS * UNITS + 1), 0) | {row["i"]: row["n"] for row in rows}


def assert_one_master(gateways: list[RecordingGateway]) -> None:
    """Once a newer connection has asked something, an older one never does again."""
    for gateway in gateways:
        order = [asked.connection for asked in gateway.asked]
        assert order == sorted(order)


async def test_workers_share_gateways_fairly_and_hand_them_over(
    world: World, gateways: list[RecordingGateway]
) -> None:
    async with working(world):
        await until(lambda: _all_held_by_one(world))
        async with working(world):
            await until(lambda: _is_shared_evenly(world))
            before = await _counts(world)
            await until(lambda: _more_readings(world, before, 3))
        await until(lambda: _all_held_by_one(world))
        before = await _counts(world)
        await until(lambda: _more_readings(world, before, 3))
    assert_one_master(gateways)
    assert await world.rows("SELECT * FROM meter_event") == []
    assert await world.rows("SELECT * FROM worker") == []


async def test_t11_a_process_killed_during_a_cycle_loses_and_doubles_nothing(
    world: World, gateways: list[RecordingGateway]
) -> None:
    for reads in (2, 3, 4):
        before = await _counts(world)
        async with process(world) as worker:
            await until(lambda seen=before, n=reads: _more_readings(world, seen, n))
            worker.kill()
    stored = await world.rows(
        "SELECT installation_id AS i, extract(epoch FROM taken_at)::bigint AS at, register_wh AS r "
        "FROM reading ORDER BY 1, 2"
    )
    said = await world.rows(
        "SELECT convert_from(body, 'UTF8')::jsonb AS body FROM outbox "
        "WHERE exchange = 'npms.readings'"
    )
    told = [
        {"i": i, "at": at, "r": r}
        for body in (row["body"] for row in said)
        for i, at, r in zip(
            body["installation_id"], body["taken_at_s"], body["register_wh"], strict=True
        )
    ]
    assert sorted(told, key=lambda row: (row["i"], row["at"])) == stored
    for before_row, row in pairwise(stored):
        assert before_row["i"] != row["i"] or before_row["r"] <= row["r"]
    assert_one_master(gateways)


async def test_a_killed_worker_s_gateways_are_taken_over_after_its_lease(
    world: World, gateways: list[RecordingGateway]
) -> None:
    async with process(world) as worker:
        async with working(world):
            await until(lambda: _is_shared_evenly(world))
            worker.kill()
            await until(lambda: _all_held_by_one(world))
            before = await _counts(world)
            await until(lambda: _more_readings(world, before, 2))
    assert_one_master(gateways)


async def test_a_frozen_worker_that_wakes_sends_nothing_to_what_another_took_over(
    world: World, gateways: list[RecordingGateway]
) -> None:
    """Frozen with commands under way, it wakes after the takeover and begins anew."""
    async with process(world) as worker:
        async with working(world):
            await until(lambda: _is_shared_evenly(world))
            for number in range(1, GATEWAYS * UNITS + 1):
                await world.desire(number, "off")
            os.kill(worker.pid, signal.SIGSTOP)
            await until(lambda: _all_held_by_one(world))
            await until(lambda: _settled(world))
            for number in range(1, GATEWAYS * UNITS + 1):
                await world.desire(number, "on")
            os.kill(worker.pid, signal.SIGCONT)
            await until(lambda: _is_shared_evenly(world))
            await until(lambda: _settled(world))
            before = await _counts(world)
            await until(lambda: _more_readings(world, before, 2))
    assert_one_master(gateways)
    assert all(set(gateway.relays.values()) == {1} for gateway in gateways)


async def test_who_has_lapsed_writes_nothing_and_has_nothing(
    world: World, gateways: list[RecordingGateway]
) -> None:
    worker = LeaseHolder(world.database, ttl_s=0.5, margin_s=0.2)
    await worker.join()
    await worker.surplus()
    await worker.claim()
    assert len(worker.held) == GATEWAYS
    other = LeaseHolder(world.database, ttl_s=30, margin_s=1)
    await other.join()

    async def taken_over() -> bool:
        await other.surplus()
        return await other.claim() and len(other.held) == GATEWAYS

    await until(taken_over)
    assert not worker.may_speak()
    with pytest.raises(LeaseLost):
        await worker.surplus()
    with pytest.raises(LeaseLost):
        async with Fenced(world.database, worker).transaction():
            raise AssertionError("the transaction of a worker that lapsed was begun")
    async with Fenced(world.database, other).transaction():
        pass


async def test_whatever_changes_of_the_leases_shows_in_their_fingerprint(
    world: World, gateways: list[RecordingGateway]
) -> None:
    """Also two workers that exchange what they hold: the leases are read only when it differs."""
    one, other = LeaseHolder(world.database), LeaseHolder(world.database)
    await one.join()
    await other.join()
    first, second, *_ = await _gateway_ids(world)
    seen = [await _fingerprint(world)]
    for change in (
        {one.worker_id: first},
        {one.worker_id: first, other.worker_id: second},
        {one.worker_id: second, other.worker_id: first},
        {one.worker_id: first, other.worker_id: None},
    ):
        await _hold(world, change)
        seen.append(await _fingerprint(world))
    for unit in range(1, UNITS + 1):
        await world.close(unit, 1_000_000)
    seen.append(await _fingerprint(world))
    assert len(set(seen)) == len(seen) - 1
    assert seen[1] == seen[4]


async def _hold(world: World, held: dict[UUID, int | None]) -> None:
    everything = await _gateway_ids(world)
    async with world.database.transaction() as conn:
        for worker_id in held:
            await leases.release(conn, worker_id, everything)
        for worker_id, gateway_id in held.items():
            if gateway_id is not None:
                await leases.claim(conn, worker_id, [gateway_id])


async def _gateway_ids(world: World) -> list[int]:
    return [row["gateway_id"] for row in await world.rows("SELECT gateway_id FROM gateway")]


async def _fingerprint(world: World) -> tuple[int, int]:
    async with world.database.connect() as conn:
        return await leases.fingerprint(conn)


async def _settled(world: World) -> bool:
    rows = await world.rows("SELECT count(*) AS n FROM supply WHERE NOT settled")
    return bool(rows[0]["n"] == 0)
