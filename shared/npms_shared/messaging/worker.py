"""Everything a service does besides answering REST: hear, work, say; stop with nothing in hand."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from contextlib import suppress
from functools import partial
from itertools import chain

import structlog

from npms_shared.db.engine import Database
from npms_shared.loops import Loop, wait_or_stop
from npms_shared.messaging.broker import BROKER_AWAY, Broker
from npms_shared.messaging.declaration import Declaration, HeardPublisher
from npms_shared.messaging.events import EventWorker
from npms_shared.messaging.partition_consumer import PREFETCH, PartitionConsumer
from npms_shared.messaging.publisher import Publisher
from npms_shared.messaging.queue_consumer import QueueConsumer, open_consumer
from npms_shared.messaging.relay import Relay
from npms_shared.messaging.subscriptions import EventSubscription, Subscription
from npms_shared.messaging.topology import undelivered_queue
from npms_shared.messaging.undelivered import UndeliveredWorker
from npms_shared.messaging.users import BrokerUsers

EVENT_PREFETCH = 32
RECONNECT_S = (0.5, 2.0)

Work = Callable[[QueueConsumer], Awaitable[None]]
"""Settles what it takes until its consumer is stopped."""

log = structlog.get_logger()


class Worker:
    def __init__(
        self,
        *,
        service: str,
        database: Database,
        amqp_url: str,
        subscriptions: list[Subscription],
        loops: list[Loop],
        partitions: int,
        partition_concurrency: int,
        trusted_users: Iterable[str] = (),
        fits: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        """`fits` raises while the database has not the schema: nothing is begun before."""
        self._service = service
        self._database, self._loops, self._partitions = database, loops, partitions
        self._subscriptions = subscriptions
        self._users = BrokerUsers.of(service, amqp_url, trusted_users)
        self._partitioned = [
            [PartitionConsumer(database, one, self._users) for _ in range(partition_concurrency)]
            for one in subscriptions
            if not isinstance(one, EventSubscription)
        ]
        self._said = Broker(amqp_url, name=f"npms-{service}-publish")
        self._heard = Broker(amqp_url, name=f"npms-{service}-consume")
        self._declaration = Declaration(self._said, service, partitions=partitions)
        self._consumers: set[QueueConsumer] = set()
        self._consumers_wanted = 0
        self._stopping = asyncio.Event()
        self._nothing_more = asyncio.Event()
        self._fits = fits

    @property
    def connected(self) -> bool:
        """The service's topology is declared, and it consumes from every queue it should."""
        return self._declaration.is_declared and len(self._consumers) == self._consumers_wanted

    async def run(self) -> None:
        """Until `stop`; then finishes what is in hand and empties the outbox."""
        if self._users.are_shared:
            log.warning("broker_user_shared", user=self._users.own)
        if self._fits is not None and not await self._wait_until(self._fits):
            return
        background = [
            asyncio.create_task(self._relay(), name="relay"),
            asyncio.create_task(self._declaration.run(self._nothing_more), name="declaration"),
        ]
        consumers = self._consumer_loops()
        self._consumers_wanted = len(consumers)
        work = [asyncio.create_task(consumer) for consumer in consumers]
        work += [asyncio.create_task(turns) for turns in self._partition_loops()]
        work += [asyncio.create_task(self._keep_running(loop)) for loop in self._loops]
        try:
            await asyncio.gather(*work)
            await self._stopping.wait()
            self._nothing_more.set()
            self._database.committed.set()
            await asyncio.gather(*background)
        finally:
            for task in (*work, *background):
                task.cancel()
            await asyncio.gather(*work, *background, return_exceptions=True)
            await self._close()

    async def _wait_until(self, good: Callable[[], Awaitable[None]]) -> bool:
        """False when stopped before. What is wrong is said once."""
        told = False
        while not self._stopping.is_set():
            try:
                await good()
                return True
            except Exception as fault:  # noqa: BLE001 - whatever it is, without a schema we wait
                if not told:
                    log.warning("schema_waited_for", fault=repr(fault))
                told = True
            await self._pause()
        return False

    def stop(self) -> None:
        self._stopping.set()
        for consumer in self._consumers:
            consumer.stop()
        for one in chain.from_iterable(self._partitioned):
            one.wake()

    async def _close(self) -> None:
        for broker in (self._heard, self._said):
            with suppress(*BROKER_AWAY):
                await broker.close()

    async def _relay(self) -> None:
        """Goes on until everything else has committed its last transaction."""
        publisher = HeardPublisher(self._said, self._declaration)
        await Relay(self._database, publisher).run(self._nothing_more)

    def _consumer_loops(self) -> list[Coroutine[None, None, None]]:
        loops = [
            self._event_loop(s) for s in self._subscriptions if isinstance(s, EventSubscription)
        ]
        if self._subscriptions:
            keeper = UndeliveredWorker(self._database)
            queue = undelivered_queue(self._service)
            loops.append(self._run_consumer(queue, EVENT_PREFETCH, keeper.work))
        staged = [s for s in self._subscriptions if not isinstance(s, EventSubscription)]
        for subscription, group in zip(staged, self._partitioned, strict=True):
            loops += [
                self._run_consumer(
                    subscription.stage.queue_of(partition),
                    PREFETCH,
                    partial(group[partition % len(group)].hold, partition),
                )
                for partition in range(self._partitions)
            ]
        return loops

    def _partition_loops(self) -> list[Coroutine[None, None, None]]:
        return [
            self._keep_running(partition_consumer.run)
            for partition_consumer in chain.from_iterable(self._partitioned)
        ]

    def _event_loop(self, subscription: EventSubscription) -> Coroutine[None, None, None]:
        worker = EventWorker(self._database, Publisher(self._said), subscription, self._users)
        return self._run_consumer(subscription.queue, EVENT_PREFETCH, _events(worker))

    async def _run_consumer(self, queue: str, prefetch: int, work: Work) -> None:
        """Consume, and again after every loss, until stopped."""
        while not self._stopping.is_set():
            await self._declaration.declared(self._stopping)
            if self._stopping.is_set():
                return
            try:
                async with open_consumer(self._heard, queue, prefetch=prefetch) as consumer:
                    await self._work_on(consumer, work)
            except BROKER_AWAY as fault:
                log.warning("lane_lost", queue=queue, fault=repr(fault))
                self._declaration.doubt()
                await self._pause()
            except Exception:
                log.exception("lane_failed", queue=queue)
                await self._pause()

    async def _work_on(self, consumer: QueueConsumer, work: Work) -> None:
        self._consumers.add(consumer)
        if self._stopping.is_set():
            consumer.stop()
        try:
            await work(consumer)
        finally:
            self._consumers.discard(consumer)

    async def _keep_running(self, loop: Loop) -> None:
        """A background loop that fails is told of and begun again."""
        while not self._stopping.is_set():
            try:
                await loop(self._stopping)
            except Exception:
                log.exception("loop_failed", loop=getattr(loop, "__qualname__", repr(loop)))
                await self._pause()

    async def _pause(self) -> None:
        await wait_or_stop(self._stopping, random.uniform(*RECONNECT_S))  # noqa: S311 - jitter


def _events(worker: EventWorker) -> Work:
    async def work(consumer: QueueConsumer) -> None:
        while await consumer.wait():
            message = consumer.take()
            if message is not None:
                await worker.handle(message)

    return work
