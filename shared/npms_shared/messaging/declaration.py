"""Keeps a service's part of the topology declared, whatever becomes of the broker.

Whoever loses a channel, a consumer or a message to the broker casts doubt; the part is then
declared anew before anybody consumes or publishes again.
"""

import asyncio
import random
from collections.abc import Awaitable, Sequence

import structlog
from aio_pika import ExchangeType
from aio_pika.abc import AbstractChannel
from aio_pika.exceptions import ChannelClosed, ChannelNotFoundEntity

from npms_shared.loops import wait_or_stop
from npms_shared.messaging.broker import BROKER_AWAY, Broker
from npms_shared.messaging.parts import Binding, Queue, listeners_of, part_of
from npms_shared.messaging.publisher import REFUSED, Outgoing, Publisher
from npms_shared.messaging.topology import listening_exchange

AGAIN_S = (0.5, 2.0)

log = structlog.get_logger()


class NobodyListens(ConnectionError):
    """Not all queues of those who hear the service are known to be there: wait."""


class Declaration:
    def __init__(self, broker: Broker, service: str, *, partitions: int) -> None:
        self._broker = broker
        self._part = part_of(service, partitions=partitions)
        self._listeners = listeners_of(service, partitions=partitions)
        self._declared, self._doubted = asyncio.Event(), asyncio.Event()
        self._heard_on = 0
        self._missing: list[str] = []

    @property
    def is_declared(self) -> bool:
        """The service's own part is there, as far as is known."""
        return self._declared.is_set()

    @property
    def is_heard_by_all(self) -> bool:
        """All queues are there, and bound, of those who hear the service."""
        return self._heard_on == self._broker.connections > 0

    async def declared(self, stopping: asyncio.Event) -> None:
        """Wait until the service's own part is there, or `stopping`."""
        await _either(self._declared, stopping)

    def doubt(self) -> None:
        """Something was not there, or the broker may be another by now: declare anew."""
        self._declared.clear()
        self._heard_on = 0
        self._doubted.set()

    def require_listeners(self) -> None:
        """Raises NobodyListens: what is said now might be lost to somebody.

        What was found over an earlier connection is in doubt.
        """
        if not self.is_heard_by_all:
            if self._heard_on:
                self.doubt()
            raise NobodyListens(", ".join(self._missing) or "not known yet")

    async def run(self, stopping: asyncio.Event) -> None:
        """Declare, and again whenever there is doubt or something of others is missing."""
        while not stopping.is_set():
            self._doubted.clear()
            try:
                missing = await self._declare()
            except BROKER_AWAY as fault:
                log.warning("broker_away", fault=repr(fault))
            else:
                self._note(missing)
                if not missing:
                    await _either(self._doubted, stopping)
                    continue
            await wait_or_stop(stopping, random.uniform(*AGAIN_S))  # noqa: S311 - jitter

    async def _declare(self) -> list[str]:
        """Returns what of others is not there."""
        steps = _Steps(self._broker)
        await steps.channel()
        connection = self._broker.connections
        try:
            await self._declare_own(steps)
            if not self._doubted.is_set():
                self._declared.set()
            missing = [*await self._listen(steps), *await self._unheard(steps)]
            self._heard_on = 0 if missing or self._doubted.is_set() else connection
            return missing
        finally:
            await steps.close()

    async def _declare_own(self, steps: "_Steps") -> None:
        part = self._part
        for exchange in part.exchanges:
            channel = await steps.channel()
            await channel.declare_exchange(exchange.name, ExchangeType(exchange.kind), durable=True)
        for queue in part.queues:
            await steps.declare_queue(queue)
        await steps.bind(part.bindings)

    async def _listen(self, steps: "_Steps") -> list[str]:
        """Exchanges that are not there yet, or may not be listened to."""
        missing = []
        for publisher, bindings in self._part.heard.items():
            try:
                await steps.bind(bindings)
            except REFUSED:
                missing.append(bindings[0].exchange)
                continue
            channel = await steps.channel()
            listening = listening_exchange(self._part.service, publisher)
            await channel.declare_exchange(listening, ExchangeType.DIRECT, durable=True)
        return missing

    async def _unheard(self, steps: "_Steps") -> list[str]:
        """Of those who hear the service, what is not there; while there is any, it is silent."""
        exchanges, queues = self._listeners
        missing = [name for name in sorted(exchanges) if not await steps.has_exchange(name)]
        return missing + [name for name in sorted(queues) if not await steps.has_queue(name)]

    def _note(self, missing: list[str]) -> None:
        if missing != self._missing:
            self._missing = missing
            if missing:
                log.warning("topology_incomplete", missing=missing)
            else:
                log.info("topology_complete")


class HeardPublisher(Publisher):
    """Publishes while all who listen are there: else what is said first is lost to the last."""

    def __init__(self, broker: Broker, declaration: Declaration) -> None:
        super().__init__(broker)
        self._declaration = declaration

    async def _open(self) -> AbstractChannel:
        channel = await super()._open()
        self._declaration.require_listeners()
        return channel

    async def offer(self, messages: Sequence[Outgoing]) -> dict[int, str]:
        """Raises one of BROKER_AWAY, NobodyListens among them."""
        self._declaration.require_listeners()
        try:
            refused = await super().offer(messages)
        except BROKER_AWAY:
            self._declaration.doubt()
            raise
        if refused:
            self._declaration.doubt()
        return refused


class _Steps:
    """Declares over one channel, and over another when the broker closed it for an answer."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._channel: AbstractChannel | None = None

    async def channel(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            self._channel = await self._broker.channel()
        return self._channel

    async def close(self) -> None:
        if self._channel is not None and not self._channel.is_closed:
            await self._channel.close()

    async def declare_queue(self, queue: Queue) -> None:
        """One of an earlier release may have other arguments, which cannot be changed: it is taken
        as it is.
        """
        if not await self.has_queue(queue.name):
            channel = await self.channel()
            await channel.declare_queue(queue.name, durable=True, arguments=dict(queue.arguments))

    async def bind(self, bindings: Sequence[Binding]) -> None:
        """Raises REFUSED."""
        try:
            for binding in bindings:
                queue = await (await self.channel()).get_queue(binding.queue, ensure=False)
                await queue.bind(binding.exchange, binding.key)
        except ChannelClosed:
            self._channel = None
            raise

    async def has_queue(self, name: str) -> bool:
        channel = await self.channel()
        return await self._is_there(channel.declare_queue(name, durable=True, passive=True))

    async def has_exchange(self, name: str) -> bool:
        channel = await self.channel()
        return await self._is_there(channel.declare_exchange(name, passive=True))

    async def _is_there(self, look: Awaitable[object]) -> bool:
        try:
            await look
        except ChannelNotFoundEntity:
            self._channel = None
            return False
        return True


async def _either(*events: asyncio.Event) -> None:
    """Until one of them is set."""
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
