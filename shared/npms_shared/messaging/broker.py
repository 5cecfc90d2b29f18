"""A connection to RabbitMQ that is made again when it is lost.

aio-pika's robust connection is not used: after a reconnect delivery tags start
again, so whatever was in hand must be dropped, and here that is plain to see:
a lost channel ends its consumer's loop, which opens a new one.
"""

import asyncio
from typing import Any

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from npms_shared.messaging import topology

BROKER_AWAY = (AMQPError, OSError, TimeoutError, RuntimeError)
"""What aio-pika and aiormq raise when the broker, a connection or a channel has gone."""

CONNECT_TIMEOUT_S = 10
HEARTBEAT_S = 10
QUORUM = {"x-queue-type": "quorum"}


class Broker:
    """One named connection, remade on demand; publishing and consuming each have their own."""

    def __init__(self, url: str, *, name: str) -> None:
        own_heartbeat = "heartbeat=" in url
        separator = "&" if "?" in url else "?"
        self._url = url if own_heartbeat else f"{url}{separator}heartbeat={HEARTBEAT_S}"
        self._name = name
        self._connection: AbstractConnection | None = None
        self._lock = asyncio.Lock()

    @property
    def connected(self) -> bool:
        connection = self._connection
        return connection is not None and not connection.is_closed and connection.connected.is_set()

    async def channel(self, *, confirms: bool = False) -> AbstractChannel:
        """A new channel; raises one of BROKER_AWAY when the broker cannot be reached."""
        async with self._lock:
            if not self.connected:
                self._connection = await aio_pika.connect(
                    self._url,
                    timeout=CONNECT_TIMEOUT_S,
                    client_properties={"connection_name": self._name},
                )
            assert self._connection is not None
            channel = self._connection.channel(
                publisher_confirms=confirms, on_return_raises=confirms
            )
        await channel.initialize(timeout=CONNECT_TIMEOUT_S)
        return channel

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()


async def declare_topology(broker: Broker, *, partitions: int) -> None:
    """Exchanges, queues and bindings of everybody; harmless when they are there already.

    All of them by whoever comes first, so that nothing said before its listener
    ever started is lost.
    """
    channel = await broker.channel()
    await _declare_events(channel)
    await _declare_retries(channel)
    for stage in topology.STAGES:
        exchange = await channel.declare_exchange(
            stage.exchange, aio_pika.ExchangeType.DIRECT, durable=True
        )
        for partition in range(partitions):
            queue = await channel.declare_queue(
                stage.queue_of(partition),
                durable=True,
                arguments={**_limited(stage.queue), "x-single-active-consumer": True},
            )
            await queue.bind(exchange, str(partition))
    await channel.close()


def _limited(queue: str) -> dict[str, Any]:
    """What is delivered too often is not dropped: it goes to the service's undelivered queue."""
    return {
        **QUORUM,
        "x-delivery-limit": topology.DELIVERY_LIMIT,
        "x-dead-letter-exchange": "",
        "x-dead-letter-routing-key": topology.undelivered_queue(queue.split(".", maxsplit=1)[0]),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


async def _declare_events(channel: AbstractChannel) -> None:
    for publisher in topology.PUBLISHERS:
        await channel.declare_queue(
            topology.undelivered_queue(publisher), durable=True, arguments=dict(QUORUM)
        )
        await channel.declare_exchange(
            topology.events_exchange(publisher), aio_pika.ExchangeType.TOPIC, durable=True
        )
    for name, contracts in topology.QUEUES.items():
        queue = await channel.declare_queue(
            name,
            durable=True,
            arguments=_limited(name),
        )
        for contract in contracts:
            await queue.bind(topology.events_exchange(contract.publisher), contract.name)


async def _declare_retries(channel: AbstractChannel) -> None:
    """A message waits here and goes back by its routing key, which is its queue's name."""
    for delay_s in topology.RETRY_DELAYS_S:
        name = topology.retry_exchange(delay_s)
        exchange = await channel.declare_exchange(name, aio_pika.ExchangeType.FANOUT, durable=True)
        queue = await channel.declare_queue(
            name,
            durable=True,
            arguments={
                **QUORUM,
                "x-message-ttl": delay_s * 1000,
                "x-dead-letter-exchange": "",
                "x-dead-letter-strategy": "at-least-once",
                "x-overflow": "reject-publish",
            },
        )
        await queue.bind(exchange)
