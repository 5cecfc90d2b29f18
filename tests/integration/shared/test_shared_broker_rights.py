"""A user for each service: what RabbitMQ itself refuses, and what is found out on receipt."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import replace

import aio_pika
import pytest
from aio_pika.exceptions import ChannelPreconditionFailed, DeliveryError
from aiormq.exceptions import ChannelAccessRefused
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.shared.test_shared_frame import (
    MakeDatabase,
    _message,
    effects,
    events_subscription,
    handle_report,
    parked_codes,
    partition_subscription,
    readings,
    report,
    until_effects,
    working,
)
from tests.support.nodes import Nodes
from tests.support.wait import until

from npms_shared.actor import Actor
from npms_shared.contracts.base import Event
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.contracts.meter_gateway import ReadingsBatch, SupplyReported
from npms_shared.contracts.payments import PaymentSettled
from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.db.engine import Database
from npms_shared.messaging import parked
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.parts import part_of
from npms_shared.messaging.publisher import Outgoing, Publisher, Unroutable
from npms_shared.messaging.subscriptions import Meta
from npms_shared.messaging.topology import (
    CHARGES,
    PUBLISHERS,
    READINGS,
    events_exchange,
    requeue_exchange,
    retry_exchange,
)

Act = Callable[[aio_pika.abc.AbstractChannel], Awaitable[object]]


@pytest.fixture
def urls(nodes: Nodes, amqp_url: str) -> dict[str, str]:
    return nodes.stack.service_amqp_urls(amqp_url)


@pytest.fixture
async def brokers(urls: dict[str, str]) -> AsyncIterator[dict[str, Broker]]:
    """A connection of each service's user."""
    async with AsyncExitStack() as stack:
        made = {service: Broker(url, name=f"test-{service}") for service, url in urls.items()}
        for broker in made.values():
            stack.push_async_callback(broker.close)
        yield made


@pytest.fixture
async def database(database_for: MakeDatabase) -> Database:
    return (await database_for("frame")).database


def said(event: Event, exchange: str, key: str) -> Outgoing:
    message = _message(event.event_type(), event.model_dump_json().encode())
    return replace(message, exchange=exchange, routing_key=key)


def plain(exchange: str, key: str, contract: type[Event] = PaymentSettled) -> Outgoing:
    return replace(_message(contract.event_type(), b"{}"), exchange=exchange, routing_key=key)


async def refused(broker: Broker, act: Act) -> bool:
    channel = await broker.channel(confirms=True)
    try:
        await act(channel)
    except ChannelAccessRefused:
        return True
    await channel.close()
    return False


async def publishing_is_refused(broker: Broker, message: Outgoing) -> bool:
    try:
        await Publisher(broker).publish([message])
    except ChannelAccessRefused:
        return True
    except (DeliveryError, Unroutable):
        return False
    return False


def queues_of(service: str) -> set[str]:
    return {queue.name for queue in part_of(service, partitions=1).queues}


async def test_the_notifiers_user_can_neither_settle_a_payment_nor_command_a_supply(
    brokers: dict[str, Broker],
) -> None:
    notifier = brokers["notifier"]
    forged = {
        "its own exchange of payments": plain("npms.payments.events", PaymentSettled.name),
        "the ledger's": plain("npms.ledger.events", SupplyDesired.name, SupplyDesired),
        "by the default exchange": plain("", "ledger.payments"),
        "a supply by the default exchange": plain("", "meter-gateway.supply", SupplyDesired),
        "by the ledger's requeuing": plain(requeue_exchange("ledger"), "ledger.payments"),
        "by the ledger's waiting room": plain(retry_exchange("ledger", 1), "ledger.payments"),
        "readings": plain(READINGS.exchange, "0", ReadingsBatch),
        "charges": plain(CHARGES.exchange, "0", ChargesBatch),
    }
    for how, message in forged.items():
        assert await publishing_is_refused(notifier, message), how


async def test_each_service_writes_its_own_exchanges_and_no_others(
    brokers: dict[str, Broker],
) -> None:
    exchanges = {s: [e.name for e in part_of(s, partitions=1).exchanges] for s in PUBLISHERS}
    for service, broker in brokers.items():
        for owner, names in exchanges.items():
            for name in names:
                found = await publishing_is_refused(broker, plain(name, "nobody-listens.v1"))
                assert found == (owner != service), (service, name)


async def test_no_service_reads_or_removes_or_fills_anothers_queue(
    brokers: dict[str, Broker],
) -> None:
    for service, broker in brokers.items():
        for other in set(PUBLISHERS) - {service}:
            name = min(queues_of(other))
            own = min(queues_of(service))
            acts: dict[str, Act] = {
                "get": lambda c, q=name: _got(c, q),
                "consume": lambda c, q=name: _consumed(c, q),
                "purge": lambda c, q=name: _purged(c, q),
                "delete": lambda c, q=name: c.queue_delete(q),
                "bind": lambda c, q=name, s=service: _bound(c, q, events_exchange(s)),
                "declare": lambda c, o=other: c.declare_queue(f"{o}.new", durable=True),
                "exchange": lambda c, o=other: c.declare_exchange(f"npms.{o}.new"),
                "dead letters": lambda c, s=service, o=other: c.declare_queue(
                    f"{s}.spout", arguments={"x-dead-letter-exchange": f"npms.{o}.requeue"}
                ),
                "default dead letters": lambda c, s=service: c.declare_queue(
                    f"{s}.spout", arguments={"x-dead-letter-exchange": ""}
                ),
                "alternate": lambda c, s=service, o=other: c.declare_exchange(
                    f"npms.{s}.spout", arguments={"alternate-exchange": f"npms.{o}.requeue"}
                ),
            }
            for what, act in acts.items():
                assert await refused(broker, act), f"{service} {what} {other}"
            assert not await refused(broker, lambda c, q=own: _got(c, q)), service


async def _got(channel: aio_pika.abc.AbstractChannel, name: str) -> object:
    return await (await channel.get_queue(name, ensure=False)).get(fail=False)


async def _consumed(channel: aio_pika.abc.AbstractChannel, name: str) -> object:
    async def ignore(_message: object) -> None: ...

    return await (await channel.get_queue(name, ensure=False)).consume(ignore)


async def _purged(channel: aio_pika.abc.AbstractChannel, name: str) -> object:
    return await (await channel.get_queue(name, ensure=False)).purge()


async def _bound(channel: aio_pika.abc.AbstractChannel, name: str, exchange: str) -> object:
    return await (await channel.get_queue(name, ensure=False)).bind(exchange, "#")


async def test_nobody_listens_to_whom_it_does_not_hear(brokers: dict[str, Broker]) -> None:
    for service, broker in brokers.items():
        part = part_of(service, partitions=1)
        for other in set(PUBLISHERS) - {service} - set(part.heard):
            queue, exchange = part.queues[0].name, events_exchange(other)
            assert await refused(broker, lambda c, q=queue, e=exchange: _bound(c, q, e)), service


async def test_nobody_speaks_under_anothers_user_id(brokers: dict[str, Broker]) -> None:
    channel = await brokers["notifier"].channel(confirms=True)
    exchange = await channel.get_exchange(events_exchange("notifier"), ensure=False)
    message = aio_pika.Message(b"{}", user_id=brokers["payments"].user)
    with pytest.raises(ChannelPreconditionFailed, match="user_id"):
        await exchange.publish(message, "x", mandatory=False)


async def test_with_its_own_user_a_service_hears_retries_parks_and_replays(
    database: Database, urls: dict[str, str], brokers: dict[str, Broker]
) -> None:
    tries: dict[int, int] = {}
    mended = False

    async def handle(conn: AsyncConnection, event: SupplyReported, meta: Meta) -> None:
        item = event.installation_id
        tries[item] = tries.get(item, 0) + 1
        if item == 2 and tries[item] == 1:
            raise RuntimeError("not yet")
        if item == 3 and not mended:
            raise parked.Unprocessable("unknown_installation", "3")
        await handle_report(conn, event, meta)

    gateway = Publisher(brokers["meter-gateway"])
    async with working(database, urls["ledger"], events_subscription(handle)):
        for item in (1, 2, 3):
            key = SupplyReported.name
            await gateway.publish([said(report(item), events_exchange("meter-gateway"), key)])
        await until_effects(database, [1, 2])
        assert await until(lambda: parked_codes(database)) == ["unknown_installation"]
        mended = True
        await replay_all(database)
        await until_effects(database, [1, 2, 3])
    assert await parked_codes(database) == []


async def replay_all(database: Database) -> None:
    async with database.transaction() as conn:
        for row in await parked.list_parked(conn):
            await parked.replay(conn, row.id, by=Actor("operator"), reason="a test")


async def test_what_another_than_its_publisher_said_is_parked_as_forged_also_when_replayed(
    database: Database, urls: dict[str, str], amqp_url: str, brokers: dict[str, Broker]
) -> None:
    """The administrator may write anywhere; so may whoever got the rights by mistake."""
    anybody = Broker(amqp_url, name="test-anybody")
    forged = said(report(1), events_exchange("meter-gateway"), SupplyReported.name)
    gateway = brokers["meter-gateway"].user
    claims = [{}, {"x-npms-said-by": gateway}, {"x-npms-said-by": f"{gateway}>npms"}]
    for headers in claims:
        await Publisher(anybody).publish([replace(_new(forged), headers=headers)])
    await _without_user(anybody, forged)
    honest = said(report(2), events_exchange("meter-gateway"), SupplyReported.name)
    await Publisher(brokers["meter-gateway"]).publish([honest])
    async with working(database, urls["ledger"], events_subscription()):
        await until_effects(database, [2])
        assert await parked_codes(database) == ["forged_publisher"] * 4
        await replay_all(database)

        async def parked_again() -> bool:
            return await count_of(database, "parked") == 4

        await until(parked_again, what="forged messages parked a second time")
        assert await parked_codes(database) == ["forged_publisher"] * 4
    assert await effects(database) == [2]
    await anybody.close()


def _new(message: Outgoing) -> Outgoing:
    return replace(message, message_id=_message(message.type, b"").message_id)


async def count_of(database: Database, state: str) -> int:
    async with database.connect() as conn:
        query = text("SELECT count(*) FROM parked_message WHERE state = :state")
        return int((await conn.execute(query, {"state": state})).scalar_one())


async def _without_user(broker: Broker, said: Outgoing) -> None:
    channel = await broker.channel(confirms=True)
    exchange = await channel.get_exchange(said.exchange, ensure=False)
    message_id = str(_new(said).message_id)
    message = aio_pika.Message(said.body, message_id=message_id, type=said.type)
    await exchange.publish(message, said.routing_key)


async def test_a_batch_of_readings_that_the_gateway_did_not_say_is_parked(
    database: Database, urls: dict[str, str], amqp_url: str, brokers: dict[str, Broker]
) -> None:
    anybody = Broker(amqp_url, name="test-anybody")
    await Publisher(anybody).publish([said(readings(1), READINGS.exchange, "0")])
    await Publisher(brokers["meter-gateway"]).publish([said(readings(2), READINGS.exchange, "0")])
    async with working(database, urls["tariff"], partition_subscription(), service="tariff"):
        await until_effects(database, [2])
    assert await parked_codes(database) == ["forged_publisher"]
    await anybody.close()


async def test_while_an_installation_changes_over_the_user_of_before_is_believed(
    database: Database, urls: dict[str, str], amqp_url: str
) -> None:
    before = Broker(amqp_url, name="test-before")
    async with working(database, urls["ledger"], events_subscription(), trusted_users=["npms"]):
        event = said(report(1), events_exchange("meter-gateway"), SupplyReported.name)
        await Publisher(before).publish([event])
        await until_effects(database, [1])
    await before.close()
