"""Acceptance scenarios through the whole service, between a broker and a database."""

import asyncio

import pytest
from tests.integration.tariff.test_tariff_worker import PARTITION, message, publish_opening, working
from tests.support.tariff import TariffHarness, readings, service
from tests.support.wait import until

from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.messaging.publisher import Publisher
from npms_shared.messaging.queue_consumer import open_consumer
from npms_shared.messaging.topology import CHARGES, READINGS

GOOD = [(60, 1100), (120, 1300), (180, 1300), (240, 1600)]
"""(seconds after opening, register): what the meter showed, each once."""
DUPLICATE, LATE, OTHER = (60, 1100), (90, 1200), (120, 1250)


@pytest.mark.usefixtures("plans")
async def test_r8_duplicates_late_and_disordered_readings_make_one_debit_per_interval(
    tariff_database, amqp_url, issuer, harness: TariffHarness
):
    """Twice within a batch, again in a later one, the same message again, in the wrong order: an
    interval is charged once, by when it was and not by when it came."""
    built = service(tariff_database.url, issuer.jwks_path, harness.clock, amqp_url=amqp_url)
    batches = [
        readings(*[(1, *one) for one in several])
        for several in (
            [GOOD[0], GOOD[0], DUPLICATE, GOOD[1], LATE, GOOD[1]],
            [DUPLICATE, OTHER, GOOD[3], GOOD[2], GOOD[3]],
        )
    ]
    messages = [
        message(batch, exchange=READINGS.exchange, routing_key=str(PARTITION)) for batch in batches
    ]
    intervals: list[tuple[int, ...]] = []

    async def all_rated() -> bool:
        counted = "SELECT readings_billed + readings_parked FROM rating_state"
        return await harness.one(counted) == (11,)

    async with working(built) as broker:
        publisher = Publisher(broker)
        await publish_opening(publisher, harness)
        await publisher.publish([messages[0], messages[0], messages[1], messages[0], messages[1]])
        await until(all_rated, within_s=20, what="all readings")
        async with open_consumer(broker, CHARGES.queue_of(PARTITION), prefetch=10) as consumer:
            while len(intervals) < 3:
                await asyncio.wait_for(consumer.wait(), 20)
                while (taken := consumer.take()) is not None:
                    batch = ChargesBatch.model_validate_json(taken.body)
                    columns = (batch.from_register_wh, batch.to_register_wh, batch.energy_wh)
                    intervals += zip(*columns, strict=True)
    assert intervals == [(1000, 1100, 100), (1100, 1300, 200), (1300, 1600, 300)]
    state = await harness.one("SELECT rated_wh, readings_billed, readings_parked FROM rating_state")
    assert state == (600, 3, 8)
    kept = await harness.rows("SELECT reason, count(*) FROM parked_reading GROUP BY 1 ORDER BY 1")
    assert kept == [("duplicate", 4), ("late", 4)]
