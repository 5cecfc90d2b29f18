"""The frame against a real broker and a real database: rules 1, 2 and 3."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import aio_pika
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.support.databases import TestDatabase
from tests.support.proxy import Proxy
from tests.support.wait import until

from npms_shared.actor import Actor
from npms_shared.contracts.meter_gateway import ReadingsBatch, SupplyReported
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.loops import Loop
from npms_shared.messaging import outbox, parked
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.partition_consumer import PartitionConsumer
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.relay import Relay
from npms_shared.messaging.subscriptions import (
    EventSubscription,
    Meta,
    PartitionSubscription,
    Portion,
    Subscription,
    Unprocessable,
)
from npms_shared.messaging.topology import DELIVERY_LIMIT, READINGS, RETRY_DELAYS_S
from npms_shared.messaging.worker import Worker

PARTITIONS = 2
NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


def report(item: int) -> SupplyReported:
    return SupplyReported(
        installation_id=item,
        account_id=1,
        state="on",
        desired_revision=1,
        verified=True,
        observed_at=NOW,
    )


def readings(*items: int) -> ReadingsBatch:
    return ReadingsBatch(
        installation_id=list(items),
        account_id=[1] * len(items),
        taken_at_s=[0] * len(items),
        register_wh=list(items),
    )


async def note(conn: AsyncConnection, item: int, partition: int | None = None) -> None:
    await conn.execute(
        text("INSERT INTO effect (partition, item) VALUES (:partition, :item)"),
        {"partition": partition, "item": item},
    )


async def effects(database: Database) -> list[int]:
    async with database.connect() as conn:
        return list((await conn.execute(text("SELECT item FROM effect ORDER BY id"))).scalars())


async def handle_report(conn: AsyncConnection, event: SupplyReported, _meta: Meta) -> None:
    await note(conn, event.installation_id)


async def handle_readings(conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]) -> None:
    for partition, received in portions:
        for one in received:
            for item in one.batch.installation_id:
                await note(conn, item, partition)


def events_subscription(
    handle: Callable[[AsyncConnection, Any, Meta], Awaitable[None]] = handle_report,
) -> EventSubscription:
    return EventSubscription("ledger.supply", (SupplyReported,), handle)


def partition_subscription(**changes: Any) -> PartitionSubscription[ReadingsBatch]:
    return PartitionSubscription(ReadingsBatch, changes.pop("handle", handle_readings), **changes)


@asynccontextmanager
async def working(
    database: Database,
    amqp_url: str,
    *subscriptions: Subscription,
    loops: list[Loop] | None = None,
    trusted_users: Iterable[str] = (),
    service: str = "ledger",
) -> AsyncIterator[Worker]:
    worker = Worker(
        service=service,
        database=database,
        amqp_url=amqp_url,
        subscriptions=list(subscriptions),
        loops=loops or [],
        partitions=PARTITIONS,
        partition_concurrency=1,
        trusted_users=trusted_users,
    )
    task = asyncio.create_task(worker.run())
    try:
        yield worker
    finally:
        worker.stop()
        await asyncio.wait_for(task, 20)


@pytest.fixture
async def database(database_for: MakeDatabase) -> Database:
    return (await database_for("frame")).database


@pytest.fixture
async def broker(amqp_url: str) -> AsyncIterator[Broker]:
    """With every queue of ours empty."""
    broker = Broker(amqp_url, name="test")
    channel = await broker.channel()
    for queue in ("ledger.supply", *(READINGS.queue_of(p) for p in range(PARTITIONS))):
        await (await channel.get_queue(queue, ensure=False)).purge()
    yield broker
    await broker.close()


def _message(type_: str, body: bytes, message_id: UUID | None = None) -> Outgoing:
    return Outgoing(
        message_id=message_id or new_id(),
        exchange="",
        routing_key="ledger.supply",
        type=type_,
        source="/npms/meter-gateway",
        subject="1",
        time=NOW,
        body=body,
    )


async def until_effects(database: Database, wanted: list[int], within_s: float = 20) -> None:
    async def same() -> bool:
        return await effects(database) == wanted

    await until(same, within_s=within_s, what=f"effects {wanted[:10]}")


async def parked_codes(database: Database) -> list[str]:
    async with database.connect() as conn:
        return [row.code for row in await parked.list_parked(conn)]


async def test_what_commits_is_said_and_what_rolls_back_is_not(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async with working(database, amqp_url, events_subscription()):
        with pytest.raises(RuntimeError):
            async with database.transaction() as conn:
                await outbox.publish(conn, report(1), subject="1")
                raise RuntimeError
        for item in (2, 3, 4):
            async with database.transaction() as conn:
                await outbox.publish(conn, report(item), subject=str(item))
        await until_effects(database, [2, 3, 4])


async def test_what_is_said_while_stopping_is_relayed(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async def last_words(stopping: asyncio.Event) -> None:
        await stopping.wait()
        async with database.transaction() as conn:
            await outbox.publish(conn, report(30), subject="30")

    async def is_empty() -> bool:
        async with database.connect() as conn:
            return (await conn.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 0

    async with database.transaction() as conn:
        await outbox.publish(conn, report(29), subject="29")
    async with working(database, amqp_url, loops=[last_words]):
        await until(is_empty)
    assert await is_empty()


async def test_a_message_delivered_often_is_heard_once(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    message = _message(SupplyReported.event_type(), report(5).model_dump_json().encode())
    last = _message(SupplyReported.event_type(), report(6).model_dump_json().encode())
    await Publisher(broker).publish([message] * 7 + [last])
    async with working(database, amqp_url, events_subscription()):
        await until_effects(database, [5, 6])


async def test_a_passing_fault_comes_back_later(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    tries = []

    async def handle(conn: AsyncConnection, event: SupplyReported, meta: Meta) -> None:
        tries.append(meta.message_id)
        if len(tries) == 1:
            raise RuntimeError("not yet")
        await handle_report(conn, event, meta)

    async with working(database, amqp_url, events_subscription(handle)):
        async with database.transaction() as conn:
            await outbox.publish(conn, report(7), subject="7")
        await until_effects(database, [7])
    assert len(tries) == 2
    assert tries[0] == tries[1]


async def test_attempts_that_are_spent_are_parked_and_replayed_when_mended(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    mended = False

    async def handle(conn: AsyncConnection, event: SupplyReported, meta: Meta) -> None:
        if not mended:
            raise RuntimeError("always")
        await handle_report(conn, event, meta)

    spent = Outgoing(
        **{
            **_as_dict(_message(SupplyReported.event_type(), report(8).model_dump_json().encode())),
            "headers": {"x-npms-attempt": len(RETRY_DELAYS_S)},
        }
    )
    await Publisher(broker).publish([spent])
    async with working(database, amqp_url, events_subscription(handle)):
        codes = await until(lambda: parked_codes(database), what="parked")
        assert codes == ["attempts_spent"]
        mended = True
        async with database.transaction() as conn:
            (row,) = await parked.list_parked(conn)
            await parked.replay(conn, row.id, by=Actor("operator"), reason="mended")
        await until_effects(database, [8])
        assert await parked_codes(database) == []


def _as_dict(message: Outgoing) -> dict[str, Any]:
    return {name: getattr(message, name) for name in Outgoing.__slots__}


async def test_what_cannot_be_read_is_parked_with_its_reason_and_others_flow(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    type_ = SupplyReported.event_type()
    poison = [
        _message(type_, b"{"),
        _message(type_, b'{"installation_id": "x"}'),
        _message("npms.meter-gateway.supply_reported.v9", b"{}"),
        _message(type_, b" " * 4_000_001),
    ]
    good = _message(type_, report(9).model_dump_json().encode())
    await Publisher(broker).publish([*poison, good])
    async with working(database, amqp_url, events_subscription()):
        await until_effects(database, [9])
    assert await parked_codes(database) == ["malformed", "malformed", "unknown_type", "oversized"]


async def test_what_no_table_can_hold_is_parked_all_the_same(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """U+0000 in a type or header, a count of attempts beyond any: none may stop the queue."""
    type_ = SupplyReported.event_type()
    odd = {"x-odd\0": "a\0b", "x-npms-attempt": 2**40}
    poison = [
        replace(_message(type_ + "\0", b"{}"), headers=odd),
        replace(_message(type_, b"\0"), headers=odd),
    ]
    good = _message(type_, report(10).model_dump_json().encode())
    await Publisher(broker).publish([*poison, good])
    async with working(database, amqp_url, events_subscription()):
        await until_effects(database, [10])
    assert await parked_codes(database) == ["unknown_type", "malformed"]


async def test_a_message_without_an_id_of_ours_is_parked(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    channel = await broker.channel(confirms=True)
    body = report(11).model_dump_json().encode()
    nameless = aio_pika.Message(body, message_id="the second", type=SupplyReported.event_type())
    await channel.default_exchange.publish(nameless, "ledger.supply")
    async with working(database, amqp_url, events_subscription()):
        assert await until(lambda: parked_codes(database)) == ["no_message_id"]


async def test_a_batch_of_uneven_columns_is_parked_and_others_flow(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    uneven = {**readings(1, 2).model_dump(), "register_wh": [1]}
    batch = ReadingsBatch.model_construct(**uneven)
    async with database.transaction() as conn:
        await outbox.publish_batches(conn, [(0, batch)])
        await outbox.publish_batches(conn, [(0, readings(3))])
    await Relay(database, Publisher(broker)).run_pass()
    async with working(database, amqp_url, partition_subscription()):
        await until_effects(database, [3])
    assert await parked_codes(database) == ["malformed"]


async def test_what_a_handler_refuses_is_parked_and_can_be_dropped(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async def refuse(conn: AsyncConnection, event: SupplyReported, _meta: Meta) -> None:
        await note(conn, event.installation_id)
        raise Unprocessable("unknown_installation", "10")

    async with working(database, amqp_url, events_subscription(refuse)):
        async with database.transaction() as conn:
            await outbox.publish(conn, report(10), subject="10")
        assert await until(lambda: parked_codes(database)) == ["unknown_installation"]
    async with database.transaction() as conn:
        (row,) = await parked.list_parked(conn)
        await parked.drop(conn, row.id, by=Actor("operator"), reason="a test")
        with pytest.raises(parked.NotParked):
            await parked.replay(conn, row.id, by=Actor("operator"), reason="too late")
    assert await effects(database) == []


async def test_batches_of_a_partition_are_applied_in_order_many_at_a_time(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    turns = []

    async def handle(conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]) -> None:
        turns.append(sum(len(received) for _, received in portions))
        await handle_readings(conn, portions)

    async with database.transaction() as conn:
        for number in range(50):
            batch = readings(number * 2, number * 2 + 1)
            await outbox.publish_batches(conn, [(0, batch)])
    await Relay(database, Publisher(broker)).run_pass()
    async with working(database, amqp_url, partition_subscription(handle=handle)):
        await until_effects(database, list(range(100)))
    assert len(turns) < 50


async def test_partitions_share_a_transaction(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    turns: list[set[int]] = []

    async def handle(conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]) -> None:
        turns.append({partition for partition, _ in portions})
        await handle_readings(conn, portions)

    async with database.transaction() as conn:
        for number in range(20):
            await outbox.publish_batches(conn, [(number % PARTITIONS, readings(number))])
    await Relay(database, Publisher(broker)).run_pass()
    async with working(database, amqp_url, partition_subscription(handle=handle)):

        async def all_there() -> bool:
            return sorted(await effects(database)) == list(range(20))

        await until(all_there)
    async with database.connect() as conn:
        rows = await conn.execute(text("SELECT partition, item FROM effect ORDER BY id"))
        seen = [tuple(row) for row in rows]
    for partition in range(PARTITIONS):
        items = [item for of, item in seen if of == partition]
        assert items == sorted(items)
    assert len(turns) < 20


async def test_a_poisonous_batch_is_parked_alone(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async def handle(conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]) -> None:
        await handle_readings(conn, portions)
        received = [one for _, portion in portions for one in portion]
        if any(13 in one.batch.installation_id for one in received):
            raise RuntimeError("unlucky")

    async with database.transaction() as conn:
        for item in (11, 12, 13, 14):
            await outbox.publish_batches(conn, [(1, readings(item))])
    await Relay(database, Publisher(broker)).run_pass()
    async with working(database, amqp_url, partition_subscription(handle=handle)):
        await until_effects(database, [11, 12, 14])
        assert await until(lambda: parked_codes(database)) == ["handler_failed"]


async def test_who_lost_the_partition_commits_nothing_more(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """A successor takes the epoch while a transaction is under way elsewhere."""
    forgotten: list[int] = []
    async with working(database, amqp_url, partition_subscription(forget=forgotten.append)):
        async with database.transaction() as conn:
            await outbox.publish_batches(conn, [(0, readings(21))])
        await until_effects(database, [21])
        async with database.transaction() as conn:
            await conn.execute(text("UPDATE partition_epoch SET epoch = epoch + 1"))
        before = len(forgotten)
        async with database.transaction() as conn:
            await outbox.publish_batches(conn, [(0, readings(22))])
        await until_effects(database, [21, 22])
    assert len(forgotten) > before, "it was fenced, forgot what it knew and claimed anew"
    async with database.connect() as conn:
        epoch = await conn.execute(text("SELECT max(epoch) FROM partition_epoch"))
        assert epoch.scalar_one() >= 3


@asynccontextmanager
async def _through_proxy(amqp_url: str) -> AsyncIterator[tuple[Proxy, str]]:
    parts = urlsplit(amqp_url)
    proxy = await Proxy(parts.hostname or "", parts.port or 0).start()
    credentials = f"{parts.username}:{parts.password}"
    try:
        yield proxy, parts._replace(netloc=f"{credentials}@127.0.0.1:{proxy.port}").geturl()
    finally:
        await proxy.stop()


ProxyContext = Callable[[str], AbstractAsyncContextManager[tuple[Proxy, str]]]


async def test_connections_that_break_lose_and_double_nothing(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async with _through_proxy(amqp_url) as (proxy, url):
        async with working(database, url, events_subscription(), partition_subscription()):
            for item in range(100, 160):
                async with database.transaction() as conn:
                    await outbox.publish(conn, report(item), subject="1")
                    await outbox.publish_batches(conn, [(0, readings(item + 1000))])
                if item % 20 == 10:
                    proxy.cut()

            async def all_there() -> bool:
                return len(await effects(database)) >= 120

            await until(all_there, within_s=40, what="all effects after the cuts")
    seen = await effects(database)
    assert sorted(i for i in seen if i < 1000) == list(range(100, 160))
    assert [i for i in seen if i >= 1000] == list(range(1100, 1160))


async def test_a_turn_that_breaks_is_taken_again(
    database: Database, amqp_url: str, broker: Broker, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A fault outside of any handler: nothing taken may stay in the memory of a dead turn."""
    turns = 0
    work_off = PartitionConsumer._work_off

    async def break_once(consumer: PartitionConsumer) -> bool:
        nonlocal turns
        turns += 1
        if turns == 1:
            await consumer._collect()
            raise ZeroDivisionError
        return await work_off(consumer)

    monkeypatch.setattr(PartitionConsumer, "_work_off", break_once)
    async with database.transaction() as conn:
        await outbox.publish_batches(conn, [(0, readings(41))])
    async with working(database, amqp_url, partition_subscription()):
        await until_effects(database, [41])


async def test_what_its_consumers_died_of_is_parked_and_not_dropped(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """Every delivery ends with the channel, as it would if the process had died."""
    type_ = SupplyReported.event_type()
    await Publisher(broker).publish([_message(type_, report(31).model_dump_json().encode())])
    for _ in range(DELIVERY_LIMIT + 1):
        channel = await broker.channel()
        queue = await channel.get_queue("ledger.supply", ensure=False)
        assert await queue.get(timeout=10)
        await channel.close()
    async with working(database, amqp_url, events_subscription()):
        assert await until(lambda: parked_codes(database)) == ["undelivered"]
        async with database.transaction() as conn:
            (row,) = await parked.list_parked(conn)
            assert row.queue == "ledger.supply"
            await parked.replay(conn, row.id, by=Actor("operator"), reason="mended")
        await until_effects(database, [31])
