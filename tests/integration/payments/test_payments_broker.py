"""From the ledger's word to the ledger's queue and back, over a real broker."""

import asyncio
import json
from typing import Any

from aio_pika.abc import AbstractIncomingMessage
from tests.integration.payments.conftest import OPENED_AT, House
from tests.support.wait import until

from npms_shared.clock import wall_now
from npms_shared.contracts.base import Event
from npms_shared.contracts.ledger import AccountOpened, CreditPosted
from npms_shared.ids import new_id
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.topology import events_exchange
from npms_shared.messaging.worker import Worker


def said(event: Event) -> Outgoing:
    return Outgoing(
        message_id=new_id(),
        exchange=events_exchange(event.publisher),
        routing_key=event.name,
        type=event.event_type(),
        source=f"/npms/{event.publisher}",
        subject="1",
        time=wall_now(),
        body=event.model_dump_json().encode(),
    )


async def test_a_voucher_is_told_and_its_credit_heard(house: House, amqp_url: str) -> None:
    service = house.service
    worker = Worker(
        service="payments",
        database=service.database,
        amqp_url=amqp_url,
        subscriptions=service.subscriptions,
        loops=service.loops,
        partitions=1,
        partition_concurrency=1,
    )
    running = asyncio.create_task(worker.run())
    ledger = Broker(amqp_url, name="ledger")

    async def connected() -> bool:
        return worker.connected

    await until(connected)
    try:
        await _story(house, ledger)
    finally:
        worker.stop()
        await running
        await ledger.close()


async def _story(house: House, ledger: Broker) -> None:
    publisher = Publisher(ledger)
    opened = AccountOpened(
        account_id=1,
        customer_id=1,
        customer_name="Achieng Odhiambo",
        currency="KES",
        time_zone="Africa/Nairobi",
        language="en",
        contacts=[],
        opened_at=OPENED_AT,
    )
    await publisher.publish([said(opened), said(opened)])

    async def known() -> bool:
        return await house.count("account") == 1

    await until(known)
    [pin] = await house.make_vouchers()
    paid = (await house.post("/v1/accounts/1/vouchers", {"pin": pin})).json()
    told = await _next(ledger, "ledger.payments")
    assert (told["payment_id"], told["amount_micro"]) == (paid["payment_id"], 200_000_000)
    await publisher.publish([said(_credit(told))])

    async def credited() -> Any:
        return (await house.payment(paid["payment_id"]))["credit"]

    assert (await until(credited))["to_balance"]["amount"] == "200.000000"


def _credit(told: dict[str, Any]) -> CreditPosted:
    return CreditPosted(
        account_id=told["account_id"],
        payment_id=told["payment_id"],
        source=told["source"],
        currency=told["currency"],
        amount_micro=told["amount_micro"],
        to_debt_micro=0,
        to_emergency_micro=0,
        to_balance_micro=told["amount_micro"],
        balance_micro=told["amount_micro"],
        debt_micro=0,
        emergency_used_micro=0,
        posted_at=wall_now(),
    )


async def _next(broker: Broker, queue: str) -> dict[str, Any]:
    """The first message of a queue."""
    channel = await broker.channel()
    arrived: asyncio.Future[AbstractIncomingMessage] = asyncio.get_running_loop().create_future()

    async def take(message: AbstractIncomingMessage) -> None:
        if not arrived.done():
            arrived.set_result(message)

    found = await channel.get_queue(queue, ensure=False)
    await found.consume(take)
    message = await asyncio.wait_for(arrived, 20)
    await message.ack()
    body: dict[str, Any] = json.loads(message.body)
    return body
