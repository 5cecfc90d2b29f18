"""One partition of one stage: batches in order, fenced by an epoch (rule 3)."""

import asyncio
from uuid import UUID

import structlog
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.base import Batch
from npms_shared.db.engine import Database, is_passing
from npms_shared.messaging import inbox, parked, trace
from npms_shared.messaging.envelope import decode, meta_of
from npms_shared.messaging.events import DATABASE_BACK_OFF_S, wait_out_database
from npms_shared.messaging.lane import Lane
from npms_shared.messaging.subscriptions import PartitionSubscription, Received, Unprocessable
from npms_shared.observability import metrics

MAX_ITEMS = 1_000
"""Beyond this a transaction only gets longer, not cheaper."""
PREFETCH = 64
ATTEMPTS = 3

log = structlog.get_logger()

Delivery = tuple[AbstractIncomingMessage, Received[Batch]]


class Fenced(Exception):
    """Another process owns the partition by now: nothing of this one may commit."""


_CLAIM = text(
    """
    INSERT INTO partition_epoch AS held (stage, partition, epoch) VALUES (:stage, :partition, 1)
    ON CONFLICT (stage, partition) DO UPDATE SET epoch = held.epoch + 1
    RETURNING epoch
    """
)
_CHECK = text(
    "SELECT epoch FROM partition_epoch WHERE stage = :stage AND partition = :partition FOR SHARE"
)


class PartitionWorker:
    def __init__(
        self,
        database: Database,
        subscription: PartitionSubscription[Batch],
        partition: int,
        turns: asyncio.Semaphore,
    ) -> None:
        self._database, self._sub, self._partition = database, subscription, partition
        self._turns = turns
        self._epoch: int | None = None
        self.queue = subscription.stage.queue_of(partition)

    async def work(self, lane: Lane) -> None:
        """Apply what the lane brings until it is stopped; raises LaneLost, Fenced."""
        self._disown()
        while await lane.wait():
            async with self._turns:
                await self._take_turn(lane)

    async def _take_turn(self, lane: Lane) -> None:
        deliveries, last = await self._collect(lane)
        if deliveries:
            try:
                await self._apply(deliveries)
            except Fenced:
                metrics.PARTITION_FENCED.labels(stage=self._sub.stage.queue).inc()
                log.warning("partition_fenced", queue=self.queue, epoch=self._epoch)
                self._disown()
                raise
        if last is not None:
            await last.ack(multiple=True)

    async def _collect(self, lane: Lane) -> tuple[list[Delivery], AbstractIncomingMessage | None]:
        """What is there, up to MAX_ITEMS; what cannot be read is parked on the way."""
        taken: list[Delivery] = []
        items, last = 0, None
        while items < MAX_ITEMS and (message := lane.take()) is not None:
            try:
                batch = decode(message, (self._sub.contract,))
            except Unprocessable as fault:
                await self._park(message, fault)
            else:
                assert isinstance(batch, Batch)
                taken.append((message, Received(meta_of(message), batch)))
                items += len(batch)
            last = message
        return taken, last

    async def _apply(self, deliveries: list[Delivery]) -> None:
        """All in one transaction; where that fails for what is in them, one by one."""
        try:
            await self._commit_when_possible(deliveries)
        except Fenced:
            raise
        except Exception as fault:  # noqa: BLE001 - whatever a handler raises
            if len(deliveries) > 1:
                for delivery in deliveries:
                    await self._apply([delivery])
                return
            message = deliveries[0][0]
            await self._park(message, _as_unprocessable(fault))

    async def _commit_when_possible(self, deliveries: list[Delivery]) -> None:
        attempts = 0
        while True:
            try:
                return await self._commit(deliveries)
            except BaseException as fault:
                self._sub.forget(self._partition)
                if is_passing(fault):
                    log.warning("database_away", queue=self.queue, fault=repr(fault))
                    await asyncio.sleep(DATABASE_BACK_OFF_S)
                    continue
                attempts += 1
                if attempts >= ATTEMPTS or isinstance(fault, Fenced | Unprocessable):
                    raise
                if not isinstance(fault, Exception):
                    raise

    async def _commit(self, deliveries: list[Delivery]) -> None:
        trace.begin(None)
        with metrics.MESSAGE_HANDLING.labels(queue=self._sub.stage.queue).time():
            async with self._database.transaction() as conn:
                await self._own(conn)
                new = await inbox.hear(
                    conn, self.queue, [received.meta.message_id for _, received in deliveries]
                )
                fresh = _first_of_each(deliveries, new)
                if fresh:
                    await self._sub.handle(conn, self._partition, fresh)
        self._count(deliveries, fresh)

    def _count(self, deliveries: list[Delivery], fresh: list[Received[Batch]]) -> None:
        queue = self._sub.stage.queue
        metrics.BATCH_ITEMS.labels(queue=queue).observe(sum(len(r.batch) for r in fresh))
        metrics.MESSAGES_CONSUMED.labels(queue=queue, outcome="done").inc(len(fresh))
        repeated = len(deliveries) - len(fresh)
        metrics.MESSAGES_CONSUMED.labels(queue=queue, outcome="duplicate").inc(repeated)

    async def _own(self, conn: AsyncConnection) -> None:
        """Claim the partition with the first transaction, prove it with every other."""
        key = {"stage": self._sub.stage.queue, "partition": self._partition}
        if self._epoch is None:
            self._epoch = await wait_out_database(lambda: self._claim(key))
        held = (await conn.execute(_CHECK, key)).scalar()
        if held != self._epoch:
            raise Fenced(self.queue)

    async def _claim(self, key: dict[str, object]) -> int:
        """In a transaction of its own: the claim stands even when the work after it fails."""
        async with self._database.transaction() as conn:
            epoch: int = (await conn.execute(_CLAIM, key)).scalar_one()
        self._sub.forget(self._partition)
        metrics.PARTITION_TAKEOVERS.labels(stage=self._sub.stage.queue).inc()
        return epoch

    def _disown(self) -> None:
        self._epoch = None
        self._sub.forget(self._partition)

    async def _park(self, message: AbstractIncomingMessage, fault: Unprocessable) -> None:
        async def park() -> None:
            async with self._database.transaction() as conn:
                await parked.park(conn, self.queue, message, fault)

        await wait_out_database(park)
        metrics.MESSAGES_CONSUMED.labels(queue=self._sub.stage.queue, outcome="parked").inc()
        log.error("message_parked", queue=self.queue, code=fault.code, reason=fault.detail)


def _first_of_each(deliveries: list[Delivery], new: set[UUID]) -> list[Received[Batch]]:
    """The new ones, each once, though a redelivery stands in the same turn."""
    fresh = []
    for _, received in deliveries:
        if received.meta.message_id in new:
            new.discard(received.meta.message_id)
            fresh.append(received)
    return fresh


def _as_unprocessable(fault: Exception) -> Unprocessable:
    if isinstance(fault, Unprocessable):
        return fault
    return Unprocessable("handler_failed", repr(fault))
