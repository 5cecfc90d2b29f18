"""Acceptance scenarios through the whole service, between a broker and a database."""

import asyncio

import pytest
from tests.integration.tariff.support import Bench, opened, readings, service
from tests.integration.tariff.test_tariff_worker import PARTITION, message
from tests.support.wait import until

from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.publisher import Publisher
from npms_shared.messaging.queue_consumer import open_consumer
from npms_shared.messaging.topology import CHARGES, READINGS, events_exchange
from npms_shared.runtime import make_worker

GOOD = [(60, 1100), (120, 1300), (180, 1300), (240, 1600)]
"""(seconds after opening, register): what the meter showed, each once."""
DUPLICATE, LATE, OTHER = (60, 1100), (90, 1200), (120, 1250)


@pytest.mark.usefixtures("plans")
async def test_r8_duplicates_late_and_disordered_readings_make_one_debit_per_interval(
    tariff_database, amqp_url, issuer, bench: Bench
):
    """Twice within a batch, again in a later one, the same message again, in the wrong order: an
    interval is charged once, by when it was and not by when it came."""
    built = service(tariff_database.url, issuer.jwks_path, bench.clock, amqp_url=amqp_url)
    broker = Broker(amqp_url, name="test")
    worker = make_worker(built, work=True)
    working = asyncio.create_task(worker.run())
    publisher = Publisher(broker)
    event = opened(1)
    told = message(event, exchange=events_exchange("ledger"), routing_key=event.name)
    batches = [
        readings(*[(1, *one) for one in several])
        for several in (
            [GOOD[0], GOOD[0], DUPLICATE, GOOD[1], LATE, GOOD[1]],
            [DUPLICATE, OTHER, GOOD[3], GOOD[2], GOOD[3]],
        )
    ]
    said = [
        message(batch, exchange=READINGS.exchange, routing_key=str(PARTITION)) for batch in batches
    ]
    intervals: list[tuple[int, ...]] = []

    async def known() -> bool:
        return await bench.one("SELECT count(*) FROM rating_state") == (1,)

    async def heard() -> bool:
        counted = "SELECT readings_billed + readings_parked FROM rating_state"
        return await bench.one(counted) == (11,)

    try:
        await publisher.publish([told])
        await until(known, within_s=20, what="the installation")
        await publisher.publish([said[0], said[0], said[1], said[0], said[1]])
        await until(heard, within_s=20, what="all readings")
        async with open_consumer(broker, CHARGES.queue_of(PARTITION), prefetch=10) as consumer:
            while len(intervals) < 3:
                await asyncio.wait_for(consumer.wait(), 20)
                while (taken := consumer.take()) is not None:
                    batch = ChargesBatch.model_validate_json(taken.body)
                    columns = (batch.from_register_wh, batch.to_register_wh, batch.energy_wh)
                    intervals += zip(*columns, strict=True)
    finally:
        worker.stop()
        await asyncio.wait_for(working, 20)
        await broker.close()
        await built.database.close()
    assert intervals == [(1000, 1100, 100), (1100, 1300, 200), (1300, 1600, 300)]
    state = await bench.one("SELECT rated_wh, readings_billed, readings_parked FROM rating_state")
    assert state == (600, 3, 8)
    kept = await bench.rows("SELECT reason, count(*) FROM parked_reading GROUP BY 1 ORDER BY 1")
    assert kept == [("duplicate", 4), ("late", 4)]
