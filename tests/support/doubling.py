"""Delivers every message a second time: a listener that sends what it hears once more."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

import aio_pika
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage, AbstractQueue

from npms_shared.messaging.topology import PUBLISHERS, STAGES, events_exchange

MARK = "x-doubled"
PARTITIONS = 16


class Doubler:
    def __init__(self, exchanges: Mapping[str, AbstractExchange]) -> None:
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
                user_id=message.user_id,
                delivery_mode=message.delivery_mode,
                headers={**message.headers, MARK: "yes"},
            )
            exchange = self._exchanges[message.exchange or ""]
            await exchange.publish(again, message.routing_key or "", mandatory=False)
            self.doubled += 1


@asynccontextmanager
async def doubling(amqp_url: str, service_urls: Mapping[str, str]) -> AsyncIterator[Doubler]:
    """During the block every message of every exchange comes twice, both times of who said it."""
    async with AsyncExitStack() as connections:
        exchanges: dict[str, AbstractExchange] = {}
        for publisher in PUBLISHERS:
            own = await connections.enter_async_context(
                await aio_pika.connect(service_urls[publisher])
            )
            channel = await own.channel(publisher_confirms=True)
            for name in _exchanges_of(publisher):
                exchanges[name] = await channel.get_exchange(name, ensure=False)
        connection = await connections.enter_async_context(await aio_pika.connect(amqp_url))
        queue = await (await connection.channel()).declare_queue(exclusive=True)
        await _listen_to_all(queue)
        doubler = Doubler(exchanges)
        await queue.consume(doubler.hear)
        yield doubler


def _exchanges_of(publisher: str) -> list[str]:
    staged = [stage.exchange for stage in STAGES if stage.contract.publisher == publisher]
    return [events_exchange(publisher), *staged]


async def _listen_to_all(queue: AbstractQueue) -> None:
    for publisher in PUBLISHERS:
        await queue.bind(events_exchange(publisher), "#")
    for stage in STAGES:
        for partition in range(PARTITIONS):
            await queue.bind(stage.exchange, str(partition))
