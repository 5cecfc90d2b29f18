"""The whole service between a broker and a database, as its worker runs it."""

import asyncio
from datetime import UTC, datetime

import pytest
from tests.integration.tariff.support import Bench, opened, readings, service
from tests.support.wait import until

from npms_shared.contracts.base import Event
from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.ids import new_id
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.queue_consumer import open_consumer
from npms_shared.messaging.topology import CHARGES, READINGS, events_exchange
from npms_shared.runtime import make_worker

PARTITIONS = 16
PARTITION = partition_of(101, PARTITIONS)


def message(event: Event, *, exchange: str, routing_key: str) -> Outgoing:
    return Outgoing(
        message_id=new_id(),
        exchange=exchange,
        routing_key=routing_key,
        type=event.event_type(),
        source=f"/npms/{event.publisher}",
        subject="101",
        time=datetime(2026, 11, 2, tzinfo=UTC),
        body=event.model_dump_json().encode(),
    )


@pytest.mark.usefixtures("plans")
async def test_a_reading_on_the_broker_becomes_a_charge_on_the_broker(
    tariff_database, amqp_url, issuer, bench: Bench
):
    built = service(tariff_database.url, issuer.jwks_path, bench.clock, amqp_url=amqp_url)
    broker = Broker(amqp_url, name="test")
    worker = make_worker(built, work=True)
    working = asyncio.create_task(worker.run())
    publisher = Publisher(broker)
    event = opened(1)
    told = message(event, exchange=events_exchange("ledger"), routing_key=event.name)

    async def known() -> bool:
        return await bench.one("SELECT count(*) FROM rating_state") == (1,)

    try:
        await publisher.publish([told, told])
        await until(known, within_s=20, what="the installation")
        batch = message(
            readings((1, 60, 3000)), exchange=READINGS.exchange, routing_key=str(PARTITION)
        )
        await publisher.publish([batch, batch])
        async with open_consumer(broker, CHARGES.queue_of(PARTITION), prefetch=1) as consumer:
            await asyncio.wait_for(consumer.wait(), 20)
            charge = consumer.take()
    finally:
        worker.stop()
        await asyncio.wait_for(working, 20)
        await broker.close()
        await built.database.close()
    assert charge is not None
    assert ChargesBatch.model_validate_json(charge.body).amount_micro == [62_640_000]
    assert await bench.one("SELECT readings_billed, rated_wh FROM rating_state") == (1, 2000)
