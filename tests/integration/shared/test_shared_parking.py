"""What is parked: once, by who owns it, and applied once whatever is done to it."""

import asyncio
from dataclasses import replace
from uuid import UUID

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.shared.test_shared_frame import (
    NOW,
    effects,
    events_subscription,
    handle_readings,
    handle_report,
    parked_codes,
    partition_subscription,
    readings,
    report,
    until_effects,
    working,
)
from tests.integration.shared.test_shared_frame import broker as broker  # noqa: PLC0414 - a fixture
from tests.integration.shared.test_shared_frame import (
    database as database,  # noqa: PLC0414 - a fixture
)
from tests.support.wait import until

from npms_shared.actor import Actor
from npms_shared.contracts.meter_gateway import ReadingsBatch, SupplyReported
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.messaging import outbox, parked, unroutable
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.relay import Relay
from npms_shared.messaging.subscriptions import Meta, Portion, Unprocessable
from npms_shared.messaging.topology import (
    DELIVERY_LIMIT,
    READINGS,
    RETRY_DELAYS_S,
    requeue_exchange,
    retry_exchange,
)
from npms_shared.runtime import measure

QUEUE = "ledger.supply"


def message(item: int) -> Outgoing:
    return Outgoing(
        message_id=new_id(),
        exchange="",
        routing_key=QUEUE,
        type=SupplyReported.event_type(),
        source="/npms/meter-gateway",
        subject="1",
        time=NOW,
        body=report(item).model_dump_json().encode(),
    )


async def states(database: Database) -> list[str]:
    async with database.connect() as conn:
        rows = await conn.execute(text("SELECT state FROM parked_message ORDER BY parked_at"))
        return list(rows.scalars())


async def until_states(database: Database, *wanted: str) -> None:
    async def same() -> bool:
        return await states(database) == list(wanted)

    await until(same, what=f"states {wanted}")


async def replay(database: Database, parked_id: UUID) -> object:
    async with database.transaction() as conn:
        return await parked.replay(conn, parked_id, by=Actor("operator"), reason="mended")


async def parked_ids(database: Database) -> list[UUID]:
    async with database.connect() as conn:
        rows = await conn.execute(text("SELECT id FROM parked_message ORDER BY parked_at"))
        return list(rows.scalars())


async def test_what_was_parked_and_then_applied_is_settled_and_cannot_be_replayed(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """Redelivered after it was parked, and no longer failing; its row is settled with that."""
    mended = False

    async def handle(conn: AsyncConnection, event: SupplyReported, meta: Meta) -> None:
        if not mended:
            raise Unprocessable("unlucky", "13")
        await handle_report(conn, event, meta)

    once = message(1)
    publisher = Publisher(broker)
    async with working(database, amqp_url, events_subscription(handle)):
        await publisher.publish([once, once, once])
        await until(lambda: parked_codes(database))
        await publisher.publish([replace(message(2), body=b"{")])
        await until_states(database, "parked", "parked")  # one for the three, one for the last
        mended = True
        await publisher.publish([once])
        await until_effects(database, [1])
        await until_states(database, "applied", "parked")
        (first, _) = await parked_ids(database)
        with pytest.raises(parked.NotParked):
            await replay(database, first)
        assert await effects(database) == [1]


async def test_what_an_earlier_release_parked_and_applied_is_not_applied_again(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async with working(database, amqp_url, events_subscription()):
        await Publisher(broker).publish([message(1)])
        await until_effects(database, [1])
        async with database.transaction() as conn:
            await conn.execute(
                text(
                    "INSERT INTO parked_message (id, message_id, queue, type, headers, body, code,"
                    " reason, attempts, parked_at) SELECT :id, message_id, queue, :type, '{}',"
                    " :body, 'handler_failed', '', 3, now() FROM inbox"
                ),
                {"id": new_id(), "type": message(1).type, "body": message(1).body},
            )
        (one,) = await parked_ids(database)
        assert await replay(database, one) == "already_applied"
        assert await states(database) == ["applied"]
        await Publisher(broker).publish([message(2)])
        await until_effects(database, [1, 2])


async def test_who_lost_the_partition_parks_nothing(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """A batch fails for the last time while a successor claims the partition: it is his to apply,
    and a parked row would have it applied by a replay once more.
    """
    failures = 0
    claiming: list[asyncio.Task[None]] = []

    async def handle(conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]) -> None:
        nonlocal failures
        failures += 1
        if failures == 3:
            claiming.append(asyncio.create_task(_take_over(database)))
            await until(lambda: _is_waiting(database), what="a successor that waits for our end")
        if failures <= 3:
            raise RuntimeError("unlucky")
        await handle_readings(conn, portions)

    async with database.transaction() as conn:
        await outbox.publish_batches(conn, [(0, readings(21))])
    await Relay(database, Publisher(broker)).run_pass()
    async with working(database, amqp_url, partition_subscription(handle=handle)):
        await until_effects(database, [21])
    await claiming[0]
    assert await states(database) == []


async def _take_over(database: Database) -> None:
    async with database.transaction() as conn:
        await conn.execute(text("UPDATE partition_epoch SET epoch = epoch + 1"))


async def _is_waiting(database: Database) -> bool:
    async with database.connect() as conn:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE 'UPDATE partition_epoch%'"
        )
        return bool((await conn.execute(text(query))).scalar_one())


async def test_a_replay_is_called_replayed_when_it_was_applied_and_parked_again_when_it_failed(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    mended = False

    async def handle(conn: AsyncConnection, event: SupplyReported, meta: Meta) -> None:
        if not mended:
            raise Unprocessable("unlucky", "13")
        await handle_report(conn, event, meta)

    await Publisher(broker).publish([message(1)])
    async with working(database, amqp_url, events_subscription(handle)):
        (code,) = await until(lambda: parked_codes(database))
        assert code == "unlucky"
    (one,) = await parked_ids(database)
    assert await replay(database, one) == "replaying"
    assert await states(database) == ["replaying"], "nobody has applied it yet"
    async with database.transaction() as conn:
        with pytest.raises(parked.NotParked):
            await parked.drop(conn, one, by=Actor("operator"), reason="it is under way")
    async with working(database, amqp_url, events_subscription(handle)):
        await until_states(database, "parked")
        mended = True
        await replay(database, one)
        await until_states(database, "replayed")
    assert await effects(database) == [1]


async def test_a_replay_that_no_queue_takes_is_parked_again(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    async with database.transaction() as conn:
        for queue in ("ledger.nothing", "nobody.nothing", ""):
            await conn.execute(
                text(
                    "INSERT INTO parked_message (id, message_id, queue, type, headers, body, code,"
                    " reason, attempts, parked_at) VALUES (:id, :id, :queue, :type, '{}', :body,"
                    " 'handler_failed', '', 3, now())"
                ),
                {"id": new_id(), "queue": queue, "type": message(1).type, "body": message(1).body},
            )
    for one in await parked_ids(database):
        await replay(database, one)
    async with database.transaction() as conn:
        await outbox.publish(conn, report(2), subject="2")
    async with working(database, amqp_url, events_subscription()):
        await until_effects(database, [2])
        await until_states(database, "parked", "parked", "parked")
    assert await parked_codes(database) == ["unroutable"] * 3


async def test_what_died_after_a_retry_is_parked_under_the_queue_it_died_in(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """It came back from a waiting room, and its consumers died of it then."""
    waiting = replace(message(31), exchange=retry_exchange("ledger", RETRY_DELAYS_S[0]))
    await Publisher(broker).publish([waiting])
    for _ in range(DELIVERY_LIMIT + 1):
        channel = await broker.channel()
        queue = await channel.get_queue(QUEUE, ensure=False)
        await until(lambda queue=queue: queue.get(fail=False))  # type: ignore[misc]
        await channel.close()
    async with working(database, amqp_url, events_subscription()):
        assert await until(lambda: parked_codes(database)) == ["undelivered"]
        (one,) = await parked_ids(database)
        async with database.connect() as conn:
            assert (await parked.get_parked(conn, one)).queue == QUEUE
        await replay(database, one)
        await until_effects(database, [31])
        await until_states(database, "replayed")


def gauge(name: str) -> float | None:
    return REGISTRY.get_sample_value(name)


async def test_what_no_queue_takes_is_set_aside_and_what_comes_after_goes_on(
    database: Database, amqp_url: str, broker: Broker
) -> None:
    """A partition beyond those that there are, an exchange that is not there: each is refused by
    the broker in another way.
    """
    lost = READINGS.exchange, "99"
    async with database.transaction() as conn:
        await outbox.publish_batches(conn, [(99, readings(1)), (99, readings(2))])
        await outbox.publish(conn, report(3), subject="3")
        await conn.execute(
            text("UPDATE outbox SET exchange = 'npms.nobody.events' WHERE routing_key <> '99'")
        )
        await outbox.publish(conn, report(4), subject="4")
    async with working(database, amqp_url, events_subscription()):
        await until_effects(database, [4])

        async def is_said_or_set_aside() -> bool:
            await measure(database)
            return gauge("npms_outbox_unpublished") == 0

        await until(is_said_or_set_aside)
    assert gauge("npms_outbox_unroutable") == 3
    async with database.transaction() as conn:
        rows = await unroutable.list_set_aside(conn)
        assert [(row.exchange, row.routing_key) for row in rows[:2]] == [lost, lost]
        assert rows[2].exchange == "npms.nobody.events"
        await conn.execute(
            text("UPDATE unroutable_message SET exchange = :exchange, routing_key = :queue"),
            {"exchange": requeue_exchange("ledger"), "queue": QUEUE},
        )
        assert (
            await unroutable.retry_all(conn, by=Actor("operator"), reason="the queue is there") == 3
        )
        with pytest.raises(unroutable.NotSetAside):
            await unroutable.drop(conn, rows[0].id, by=Actor("operator"), reason="too late")
    async with working(database, amqp_url, events_subscription()):
        await until_effects(database, [4, 3])
    assert await parked_codes(database) == ["unknown_type", "unknown_type"], "batches of readings"
