"""Over a real broker: charges by partition and payments come in, desired supply goes out."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.integration.ledger.house import POLICY, M
from tests.support.messages import message_of
from tests.support.wait import until

from npms_shared.contracts.meter_gateway import ProfilePublished
from npms_shared.contracts.payments import PaymentSettled
from npms_shared.ids import new_id
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.publisher import Publisher
from npms_shared.messaging.subscriptions import Meta, Received
from npms_shared.messaging.topology import CHARGES
from npms_shared.messaging.worker import Worker


async def test_from_a_payment_through_charges_to_the_cut_and_the_decision_of_time(house, amqp_url):
    friendly = [{"days": ["wed"], "from": "14:00", "to": "18:00"}]
    plain = await house.open()
    kept = await house.open(credit_policy={**POLICY, "friendly_hours": friendly, "emergency": None})
    service = house.service
    worker = Worker(
        service="ledger",
        database=service.database,
        amqp_url=amqp_url,
        subscriptions=service.subscriptions,
        loops=service.loops,
        partitions=2,
        partition_concurrency=2,
    )
    running = asyncio.create_task(worker.run())
    outside = Broker(amqp_url, name="outside")

    async def connected():
        return worker.connected

    await until(connected)
    try:
        publisher = Publisher(outside)
        await _pay(house, publisher, [plain, kept])
        await _charge_twice(house, publisher, [plain, kept])
        await _cut(house, plain, kept)
    finally:
        worker.stop()
        await running
        await outside.close()
    assert await house.rows("SELECT 1 FROM outbox") == []
    assert await house.broken() == []


async def _pay(house, publisher, accounts):
    """Each payment is delivered twice."""
    for opened in accounts:
        message = message_of(
            PaymentSettled(
                payment_id=new_id(),
                account_id=opened["account_id"],
                amount_micro=10 * M,
                currency="KES",
                source="voucher",
                reference="V",
                settled_at=house.clock.now(),
            )
        )
        await publisher.publish([message, message])

    async def credited():
        rows = await house.rows("SELECT account_id FROM position WHERE balance_micro = 10000000")
        return len(rows) == 2

    await until(credited)


async def _charge_twice(house, publisher, accounts):
    batch = house.charges(*[(opened, 6 * M) for opened in accounts] * 2)
    message = message_of(batch, exchange=CHARGES.exchange, key="1")
    await publisher.publish([message, message])

    async def charged():
        return await house.rows("SELECT 1 FROM position HAVING max(balance_micro) = -2000000")

    await until(charged)


async def _cut(house, plain, kept):
    assert (await house.account(plain["account_id"]))["supply_desired"] == "off"
    assert (await house.account(kept["account_id"]))["supply_reason"] == "friendly_hours"
    house.clock.advance(timedelta(hours=3))

    async def off():
        return (await house.account(kept["account_id"]))["supply_desired"] == "off"

    await until(off)

    async def all_said():
        return await house.rows("SELECT 1 FROM outbox HAVING count(*) = 0")

    await until(all_said)


async def test_the_catalogue_is_heard(house):
    profile = ProfilePublished(profile="p2", vendor="v", model="m", has_relay=False)
    await house.receive("ledger.catalogue", profile)
    await house.receive("ledger.catalogue", profile.model_copy(update={"model": "m2"}))
    (row,) = await house.rows("SELECT * FROM known_profile WHERE profile = 'p2'")
    assert row.model == "m2"


async def test_a_rolled_back_batch_leaves_nothing(house):
    opened = await house.open()
    await house.pay(opened["account_id"], 10 * M)
    before = await house.rows("SELECT count(*) FROM journal")
    received = Received(Meta(new_id(), "", "", house.clock.now()), house.charges((opened, M)))
    with pytest.raises(DBAPIError, match="division by zero"):
        async with house.database.transaction() as conn:
            await house.post_charges(conn, [(0, [received])])
            await conn.execute(text("SELECT 1/0"))
    assert await house.rows("SELECT count(*) FROM journal") == before
    house.registers[opened["installation_id"]] -= 1_000
    await house.charge((opened, M))
    assert await house.broken() == []
