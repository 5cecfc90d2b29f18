"""Who declares what; nothing is said before all listen; a topology that was lost comes back."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from sqlalchemy import text
from tests.integration.shared.test_shared_frame import (
    NOW,
    PARTITIONS,
    MakeDatabase,
    _message,
    effects,
    events_subscription,
    partition_subscription,
    readings,
    report,
    until_effects,
    working,
)
from tests.support.nodes import Nodes
from tests.support.wait import until

from npms_operations.topology.definitions import BrokerUser, definitions
from npms_shared.contracts.ledger import AccountClosed
from npms_shared.db.engine import Database
from npms_shared.messaging import outbox
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.declaration import Declaration, HeardPublisher, NobodyListens
from npms_shared.messaging.relay import Relay
from npms_shared.messaging.topology import PUBLISHERS, READINGS, events_exchange, listening_exchange
from npms_shared.messaging.worker import Worker

QUEUE = "ledger.supply"


class Vhost:
    """A virtual host of one test's own: users and rights, no topology."""

    def __init__(self, nodes: Nodes, name: str) -> None:
        self._nodes, self.name = nodes, name
        self._management = nodes.stack.urls().management_url or ""
        admin = urlsplit(nodes.stack.urls().amqp_url)
        self.admin_url = f"{admin.scheme}://{admin.netloc}/{name}"
        self.urls = nodes.stack.service_amqp_urls(self.admin_url)
        self._http = httpx.Client(base_url=self._management, timeout=30)

    def make(self) -> None:
        users = {service: BrokerUser.of(url) for service, url in self.urls.items()}
        wanted = definitions(self.name, users, partitions=PARTITIONS)
        admin = BrokerUser.of(self.admin_url).name
        rights = {"user": admin, "vhost": self.name, "configure": ".*", "write": ".*", "read": ".*"}
        bare = {key: wanted[key] for key in ("vhosts", "users")}
        bare["permissions"] = [*wanted["permissions"], rights]
        self._http.post("/api/definitions", json=bare).raise_for_status()

    def close(self) -> None:
        self.drop()
        self._http.close()

    def drop(self) -> None:
        self._nodes.drop_vhost(self.name)

    def delete_queue(self, name: str) -> None:
        self._http.delete(f"/api/queues/{self.name}/{name}").raise_for_status()

    def topology(self) -> dict[str, Any]:
        found = self._http.get(f"/api/definitions/{self.name}").raise_for_status().json()
        return {
            "exchanges": {(e["name"], e["type"]) for e in found["exchanges"]},
            "queues": {q["name"]: q["arguments"] for q in found["queues"]},
            "bindings": {
                (b["source"], b["destination"], b["routing_key"]) for b in found["bindings"]
            },
        }

    def holds(self, queue: str) -> bool:
        """Whether a consumer would be given something of it."""
        ask = {"count": 1, "ackmode": "ack_requeue_true", "encoding": "auto"}
        answer = self._http.post(f"/api/queues/{self.name}/{queue}/get", json=ask)
        return bool(answer.raise_for_status().json())

    def import_all(self) -> None:
        self._nodes.stack.prepare_broker(self.admin_url)


@pytest.fixture
def vhost(nodes: Nodes, request: pytest.FixtureRequest) -> Iterator[Vhost]:
    made = Vhost(nodes, f"topology-{id(request)}")
    made.make()
    yield made
    made.close()


@pytest.fixture
async def database(database_for: MakeDatabase) -> Database:
    return (await database_for("frame")).database


@asynccontextmanager
async def declaring(
    vhost: Vhost, *services: str, partitions: int = PARTITIONS
) -> AsyncIterator[dict[str, Declaration]]:
    """Services, as far as their topology goes."""
    stopping = asyncio.Event()
    brokers = {name: Broker(vhost.urls[name], name=f"test-{name}") for name in services}
    made = {n: Declaration(b, n, partitions=partitions) for n, b in brokers.items()}
    tasks = [asyncio.create_task(one.run(stopping)) for one in made.values()]
    try:
        yield made
    finally:
        stopping.set()
        await asyncio.gather(*tasks)
        for broker in brokers.values():
            await broker.close()


async def until_heard(*declarations: Declaration) -> None:
    async def heard() -> bool:
        return all(one.is_heard_by_all for one in declarations)

    await until(heard, what="all who listen are there")


async def until_connected(worker: Worker, *, wanted: bool = True) -> None:
    async def is_so() -> bool:
        return worker.connected == wanted

    await until(is_so, what=f"connected: {wanted}")


async def say(database: Database, item: int) -> None:
    async with database.transaction() as conn:
        await outbox.publish(conn, report(item), subject="1")
        await outbox.publish_batches(conn, [(0, readings(item + 1000))])


async def test_what_services_declare_each_for_itself_is_what_the_operator_imports(
    vhost: Vhost,
) -> None:
    async with declaring(vhost, *PUBLISHERS, partitions=16) as declarations:
        await until_heard(*declarations.values())
    declared = vhost.topology()
    vhost.drop()
    vhost.make()
    vhost.import_all()
    assert vhost.topology() == declared
    assert READINGS.queue_of(15) in declared["queues"]


async def test_nothing_is_said_before_the_last_of_its_listeners_is_there(
    vhost: Vhost, database: Database
) -> None:
    """The gateway speaks to ledger and tariff; started first, it keeps what it has to say."""
    gateway = Broker(vhost.urls["meter-gateway"], name="test-first")
    async with declaring(vhost, "meter-gateway", "ledger", "payments", "notifier") as declarations:
        await say(database, 1)
        publisher = HeardPublisher(gateway, declarations["meter-gateway"])
        relaying = asyncio.create_task(relay_until_empty(database, publisher))
        await until(lambda: _has_declared(vhost, listening_exchange("ledger", "meter-gateway")))
        assert not declarations["meter-gateway"].is_heard_by_all
        async with declaring(vhost, "tariff"):
            await until_heard(declarations["meter-gateway"])
            await asyncio.wait_for(relaying, 20)
    await gateway.close()
    async with working(database, vhost.admin_url, events_subscription(), partition_subscription()):

        async def both() -> bool:
            return sorted(await effects(database)) == [1, 1001]

        await until(both, what="both were kept for their listeners")


async def _has_declared(vhost: Vhost, exchange: str) -> bool:
    found = await asyncio.to_thread(vhost.topology)
    return (exchange, "direct") in found["exchanges"]


async def relay_until_empty(database: Database, publisher: HeardPublisher) -> None:
    stopping = asyncio.Event()
    running = asyncio.create_task(Relay(database, publisher).run(stopping))

    async def empty() -> bool:
        async with database.connect() as conn:
            return (await conn.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 0

    await until(empty, within_s=30)
    stopping.set()
    await running


async def test_after_its_virtual_host_was_made_anew_a_worker_declares_consumes_and_says(
    vhost: Vhost, database: Database
) -> None:
    async with declaring(vhost, "tariff", "payments", "notifier", "meter-gateway") as others:
        subscriptions = (events_subscription(), partition_subscription())
        async with working(database, vhost.admin_url, *subscriptions) as worker:
            await until_connected(worker)
            await until_heard(*others.values())
            await say(database, 1)
            await _until_items(database, [1, 1001])
            await asyncio.to_thread(vhost.drop)
            await until_connected(worker, wanted=False)
            await say(database, 2)
            await asyncio.to_thread(vhost.make)
            for other in others.values():
                other.doubt()
            await until_connected(worker)
            await _until_items(database, [1, 2, 1001, 1002])


async def _until_items(database: Database, wanted: list[int]) -> None:
    async def there() -> bool:
        return sorted(await effects(database)) == wanted

    await until(there, within_s=30, what=f"effects {wanted}")


async def test_a_process_that_was_not_told_of_the_loss_says_nothing_before_all_listen_again(
    vhost: Vhost,
) -> None:
    """Another process of its service has declared its exchange again; one of two listens."""
    account = AccountClosed(account_id=1, customer_id=1, closed_at=NOW)
    message = replace(
        _message(account.event_type(), account.model_dump_json().encode()),
        exchange=events_exchange("ledger"),
        routing_key=account.name,
    )
    broker = Broker(vhost.urls["ledger"], name="test-process")
    declaration, stopping = Declaration(broker, "ledger", partitions=PARTITIONS), asyncio.Event()
    publisher = HeardPublisher(broker, declaration)
    async with declaring(vhost, *PUBLISHERS):
        running = asyncio.create_task(declaration.run(stopping))
        await until_heard(declaration)
    await publisher.publish([message])
    await asyncio.to_thread(vhost.drop)
    await asyncio.to_thread(vhost.make)
    async with declaring(vhost, "ledger", "notifier", "tariff", "meter-gateway"):
        await until(lambda: _has_declared(vhost, listening_exchange("notifier", "ledger")))
        with pytest.raises(NobodyListens):
            await publisher.publish([message])
        async with declaring(vhost, "payments"):
            await until_heard(declaration)
            await publisher.publish([message])
    stopping.set()
    await running
    await broker.close()
    assert vhost.holds("notifier.events")
    assert vhost.holds("payments.accounts")


async def test_a_queue_deleted_under_its_consumer_is_declared_anew_and_consumed(
    vhost: Vhost, database: Database
) -> None:
    vhost.import_all()
    async with working(database, vhost.admin_url, events_subscription()) as worker:
        await until_connected(worker)
        await asyncio.to_thread(vhost.delete_queue, QUEUE)
        await until_connected(worker, wanted=False)
        await until_connected(worker)
        async with database.transaction() as conn:
            await outbox.publish(conn, report(5), subject="1")
        await until_effects(database, [5])


async def test_a_queue_of_an_earlier_release_is_used_as_it_is(
    vhost: Vhost, database: Database
) -> None:
    """Its arguments cannot be changed, and are others than those of today."""
    before = {
        "x-queue-type": "quorum",
        "x-delivery-limit": 20,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": "ledger.undelivered",
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }
    admin = Broker(vhost.admin_url, name="test-before")
    await (await admin.channel()).declare_queue(QUEUE, durable=True, arguments=before)
    await admin.close()
    await asyncio.to_thread(vhost.import_all)
    async with working(database, vhost.admin_url, events_subscription()) as worker:
        await until_connected(worker)
        async with database.transaction() as conn:
            await outbox.publish(conn, report(5), subject="1")
        await until_effects(database, [5])
    assert vhost.topology()["queues"][QUEUE] == before
