"""Real processes, injured while work is in flight: nothing is lost, nothing doubled."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import aio_pika
import asyncpg
import pytest
from tests.support.auditing import assert_audit_clean
from tests.support.doubling import doubling
from tests.support.wait import until
from tests.support.world import Load, World

from npms_shared.contracts.meter_gateway import ReadingsBatch, SupplyReported
from npms_shared.ids import new_id
from npms_shared.messaging.topology import READINGS, events_exchange
from npms_shared.messaging.users import user_in
from npms_tools.stack.pid_files import PidFile
from npms_tools.stack.services import SERVICES, ServiceProcess

pytestmark = pytest.mark.system

KILLS = 3
ROUNDS_BETWEEN = (2, 9)


@asynccontextmanager
async def loaded(world: World, seed: int) -> AsyncIterator[Load]:
    """Load during the block; afterwards everything settles and the audit is clean."""
    load = Load(world, seed)
    task = asyncio.create_task(load.run())
    try:
        await load.go_on(3)
        yield load
        await load.go_on(3)
    finally:
        load.stop()
        await task
    await world.until_settled()
    await assert_audit_clean(world)


async def in_thread(work: Callable[[], object]) -> None:
    await asyncio.to_thread(work)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_killed_service_loses_and_doubles_nothing(world: World, service: str) -> None:
    seed = SERVICES.index(service) + 1
    chance, process = random.Random(seed), world.services[service]
    async with loaded(world, seed) as load:
        for _ in range(KILLS):
            await load.go_on(1)
            await asyncio.sleep(chance.random() * 0.5)  # a random moment, not a wait for something
            await in_thread(process.kill)
            await in_thread(process.start)
            await in_thread(process.wait_ready)


@pytest.mark.parametrize("service", ["tariff", "ledger"])
async def test_a_frozen_consumer_that_wakes_commits_nothing(world: World, service: str) -> None:
    """SIGSTOP past the heartbeat; a second replica takes over; then SIGCONT."""
    frozen = world.services[service]
    successor = ServiceProcess(
        service,
        environment=frozen.environment,
        memory=world.stack.memory,
        log=frozen.log.with_name(f"{service}-second.log"),
        pid_file=PidFile(world.stack.folder / "services" / f"{service}-second.pid"),
    )
    await in_thread(successor.start)
    await in_thread(successor.wait_ready)
    before = await takeovers(world, service)
    try:
        async with loaded(world, 10 + SERVICES.index(service)) as load:
            await in_thread(frozen.pause)

            async def taken_over() -> bool:
                return await takeovers(world, service) > before

            await until(taken_over, within_s=60, what="the successor claims partitions")
            await load.go_on(2)
            await in_thread(frozen.resume)
            await load.go_on(3)
    finally:
        frozen.resume()
        await in_thread(successor.stop)


async def takeovers(world: World, service: str) -> int:
    """How often partitions were claimed so far: the sum of their epochs."""
    conn = await asyncpg.connect(world.services.databases[service].url)
    try:
        return int(await conn.fetchval("SELECT coalesce(sum(epoch), 0) FROM partition_epoch"))
    finally:
        await conn.close()


async def test_a_killed_broker_loses_and_doubles_nothing(world: World) -> None:
    async with loaded(world, 20) as load:
        await in_thread(world.stack.kill_broker)
        await load.go_on(3)
        await in_thread(world.stack.start_broker)


async def test_a_stopped_database_loses_and_doubles_nothing(world: World) -> None:
    async with loaded(world, 30):
        await in_thread(lambda: world.stack.stop_postgres("immediate"))
        await in_thread(world.stack.start_postgres)


async def test_every_message_twice_changes_nothing(world: World) -> None:
    urls = world.services.amqp_urls
    async with doubling(world.amqp_url, urls) as doubler, loaded(world, 40) as load:
        await load.go_on(10)
    assert doubler.doubled > 20


async def test_poison_is_parked_with_its_reason_and_others_flow(world: World) -> None:
    """Undecodable, of an unknown version, too large: one of each in every kind of queue."""
    before = await parked(world)
    async with loaded_with_poison(world):
        await _poison(world.services.amqp_urls["meter-gateway"])
    wanted = {"malformed": 2, "unknown_type": 2, "oversized": 2}

    async def all_parked() -> bool:
        now = await parked(world)
        return {code: now.get(code, 0) - before.get(code, 0) for code in wanted} == wanted

    await until(all_parked, what="six parked messages")
    await _drop_parked(world)
    await assert_audit_clean(world)


@asynccontextmanager
async def loaded_with_poison(world: World) -> AsyncIterator[Load]:
    load = Load(world, 50)
    task = asyncio.create_task(load.run())
    await load.go_on(2)
    yield load
    await load.go_on(5)
    load.stop()
    await task
    await world.until_settled()


async def _poison(amqp_url: str) -> None:
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel(publisher_confirms=True)
    targets = [
        (events_exchange("meter-gateway"), SupplyReported.name, SupplyReported),
        (READINGS.exchange, "3", ReadingsBatch),
    ]
    for name, key, contract in targets:
        exchange = await channel.get_exchange(name, ensure=False)
        bodies = [
            (contract.event_type(), b"{not json"),
            (contract.event_type().replace(".v1", ".v9"), b"{}"),
            (contract.event_type(), b" " * 4_100_000),
        ]
        for type_, body in bodies:
            message = aio_pika.Message(
                body,
                message_id=str(new_id()),
                type=type_,
                user_id=user_in(amqp_url),
                delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            )
            await exchange.publish(message, key, mandatory=True)
    await connection.close()


async def parked(world: World) -> dict[str, int]:
    """How many messages are parked, by code, in ledger and tariff."""
    counts: dict[str, int] = {}
    for service in ("ledger", "tariff"):
        for row in (await world.good("GET", service, "/v1/parked-messages"))["items"]:
            counts[row["code"]] = counts.get(row["code"], 0) + 1
    return counts


async def _drop_parked(world: World) -> None:
    for service in ("ledger", "tariff"):
        for row in (await world.good("GET", service, "/v1/parked-messages"))["items"]:
            path = f"/v1/parked-messages/{row['id']}/drop"
            await world.good("POST", service, path, json={"reason": "planted by a test"})
