"""The whole service between a broker and a database, as its worker runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import pytest
from tests.support.tariff import TariffHarness, opened, readings, service
from tests.support.wait import until

from npms_shared.contracts.base import Event
from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.ids import new_id
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.queue_consumer import open_consumer
from npms_shared.messaging.topology import CHARGES, READINGS, events_exchange
from npms_shared.runtime import Service, make_worker

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


async def publish_opening(publisher: Publisher, harness: TariffHarness, *, times: int = 1) -> None:
    """Until the installation is rated."""
    event = opened(1)
    sent = message(event, exchange=events_exchange("ledger"), routing_key=event.name)

    async def known() -> bool:
        return await harness.one("SELECT count(*) FROM rating_state") == (1,)

    await publisher.publish([sent] * times)
    await until(known, within_s=20, what="the installation")


@asynccontextmanager
async def working(built: Service) -> AsyncIterator[Broker]:
    """The service's worker at work, and a connection to its broker."""
    broker = Broker(built.settings.amqp_url.get_secret_value(), name="test")
    worker = make_worker(built, work=True)
    work = asyncio.create_task(worker.run())
    try:
        yield broker
    finally:
        worker.stop()
        await asyncio.wait_for(work, 20)
        await broker.close()
        await built.database.close()


@pytest.mark.usefixtures("plans")
async def test_a_reading_on_the_broker_becomes_a_charge_on_the_broker(
    tariff_database, amqp_url, issuer, harness: TariffHarness
):
    built = service(tariff_database.url, issuer.jwks_path, harness.clock, amqp_url=amqp_url)
    async with working(built) as broker:
        publisher = Publisher(broker)
        await publish_opening(publisher, harness, times=2)
        batch = message(
            readings((1, 60, 3000)), exchange=READINGS.exchange, routing_key=str(PARTITION)
        )
        await publisher.publish([batch, batch])
        async with open_consumer(broker, CHARGES.queue_of(PARTITION), prefetch=1) as consumer:
            await asyncio.wait_for(consumer.wait(), 20)
            charge = consumer.take()
    assert charge is not None
    assert ChargesBatch.model_validate_json(charge.body).amount_micro == [62_640_000]
    assert await harness.one("SELECT readings_billed, rated_wh FROM rating_state") == (1, 2000)
