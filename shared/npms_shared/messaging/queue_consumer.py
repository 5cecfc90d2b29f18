"""The deliveries of one queue, for as long as one channel lives."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aio_pika.abc import AbstractIncomingMessage
from aiormq.exceptions import ChannelInvalidStateError

from npms_shared.messaging.broker import Broker


class ConsumerLost(ConnectionError):
    """The channel or the queue has gone: what was delivered and not acknowledged comes again."""


class QueueConsumer:
    def __init__(self, queue: str) -> None:
        self.queue = queue
        self._ready: deque[AbstractIncomingMessage] = deque()
        self._wake = asyncio.Event()
        self._bell: asyncio.Event | None = None
        self._over = asyncio.Event()
        self._lost = self._stopped = False

    async def receive(self, message: AbstractIncomingMessage) -> None:
        self._ready.append(message)
        self._wake.set()
        if self._bell is not None:
            self._bell.set()

    def ring(self, bell: asyncio.Event) -> None:
        """Set `bell` too whenever something comes."""
        self._bell = bell
        if self._ready:
            bell.set()

    @property
    def is_lost(self) -> bool:
        return self._lost

    def lose(self, *_: object) -> None:
        self._lost = True
        self._wake.set()
        self._over.set()

    def stop(self) -> None:
        """Let `wait` say that there is nothing more."""
        self._stopped = True
        self._wake.set()
        self._over.set()

    async def ended(self) -> None:
        """Until it is stopped. Raises ConsumerLost."""
        await self._over.wait()
        if self._lost:
            raise ConsumerLost(self.queue)

    async def wait(self) -> bool:
        """True when something is there, False when stopped. Raises ConsumerLost."""
        while not self._ready or self._stopped:
            if self._stopped:
                return False
            if self._lost:
                raise ConsumerLost(self.queue)
            self._wake.clear()
            await self._wake.wait()
        return True

    def take(self) -> AbstractIncomingMessage | None:
        """The next delivery, if one is there. Raises ConsumerLost."""
        if self._lost:
            raise ConsumerLost(self.queue)
        return self._ready.popleft() if self._ready else None


@asynccontextmanager
async def open_consumer(
    broker: Broker, queue: str, *, prefetch: int
) -> AsyncIterator[QueueConsumer]:
    """Consume the queue on a channel of its own until the block ends."""
    channel = await broker.channel()
    consumer = QueueConsumer(queue)
    channel.close_callbacks.add(consumer.lose)
    underlay = await channel.get_underlay_channel()
    underlay.on_consumer_cancel_callbacks.add(consumer.lose)
    try:
        await channel.set_qos(prefetch_count=prefetch)
        source = await channel.get_queue(queue, ensure=False)
        await source.consume(consumer.receive)
        yield consumer
    finally:
        try:
            await channel.close()
        except (ChannelInvalidStateError, OSError, RuntimeError):
            consumer.lose()
