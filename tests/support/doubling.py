"""Delivers every message a second time: a listener that sends what it hears once more."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractIncomingMessage, AbstractQueue

from npms_shared.messaging.topology import PUBLISHERS, STAGES, events_exchange

MARK = "x-doubled"
PARTITIONS = 16


class Doubler:
    def __init__(self, exchanges: dict[str, aio_pika.abc.AbstractExchange]) -> None:
        self._exchanges = exchanges
        self.doubled = 0

    async def hear(self, message: AbstractIncomingMessage) -> None:
        async with message.process():
            if MARK in message.headers:
                return
            again = aio_pika.Message(
                message.body,
                message_id=message.message_id,
                type=message.type,
                timestamp=message.timestamp,
                content_type=message.content_type,
                app_id=message.app_id,
                delivery_mode=message.delivery_mode,
                headers={**message.headers, MARK: "yes"},
            )
            exchange = self._exchanges[message.exchange or ""]
            await exchange.publish(again, message.routing_key or "", mandatory=False)
            self.doubled += 1


@asynccontextmanager
async def doubling(amqp_url: str) -> AsyncIterator[Doubler]:
    """During the block every message of every exchange comes twice."""
    connection = await aio_pika.connect(amqp_url)
    channel = await connection.channel(publisher_confirms=True)
    queue: AbstractQueue = await channel.declare_queue(exclusive=True)
    names = [*map(events_exchange, PUBLISHERS), *(stage.exchange for stage in STAGES)]
    exchanges = {name: await channel.get_exchange(name) for name in names}
    doubler = Doubler(exchanges)
    for publisher in PUBLISHERS:
        await queue.bind(events_exchange(publisher), "#")
    for stage in STAGES:
        for partition in range(PARTITIONS):
            await queue.bind(stage.exchange, str(partition))
    await queue.consume(doubler.hear)
    try:
        yield doubler
    finally:
        await connection.close()
