"""Some partitions of one stage in hand: what is there of all of them, in one transaction (rule 3).

An idle system posts one reading at once; a busy one fills its transactions
from every partition it holds, so that their number does not grow with the
number of partitions.
"""

import asyncio
from functools import partial
from itertools import chain

import structlog
from aio_pika.abc import AbstractIncomingMessage
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.base import Batch
from npms_shared.db.engine import Database, is_passing
from npms_shared.messaging import epochs, inbox, parked, trace
from npms_shared.messaging.broker import BROKER_AWAY
from npms_shared.messaging.envelope import decode, meta_of
from npms_shared.messaging.in_flight import (
    Claim,
    Fenced,
    InFlight,
    apart,
    first_of_each,
    next_of,
)
from npms_shared.messaging.queue_consumer import QueueConsumer
from npms_shared.messaging.subscriptions import (
    PartitionSubscription,
    Portion,
    Received,
    Unprocessable,
)
from npms_shared.messaging.users import BrokerUsers
from npms_shared.observability import metrics

MAX_ITEMS = 1_000
"""Beyond this a transaction only gets longer, not cheaper."""
PREFETCH = 64
ATTEMPTS = 3

log = structlog.get_logger()


class PartitionConsumer:
    """Works on whatever partitions it holds at the moment, one transaction at a time."""

    def __init__(
        self, database: Database, subscription: PartitionSubscription[Batch], users: BrokerUsers
    ) -> None:
        self._database, self._sub, self._users = database, subscription, users
        self._claims: dict[int, Claim] = {}
        self._bell = asyncio.Event()
        self._turn = asyncio.Lock()
        self._stage = subscription.stage.queue

    async def hold(self, partition: int, consumer: QueueConsumer) -> None:
        """Work on a partition's queue until stopped. Raises ConsumerLost."""
        self._sub.forget(partition)
        self._claims[partition] = Claim(partition, consumer)
        consumer.ring(self._bell)
        try:
            await consumer.ended()
        finally:
            async with self._turn:
                del self._claims[partition]
                self._sub.forget(partition)

    async def run(self, stopping: asyncio.Event) -> None:
        """Take turns until stopped; `wake` lets it see that."""
        while not stopping.is_set():
            await self._bell.wait()
            self._bell.clear()
            while not stopping.is_set() and await self.take_turn():
                pass

    def wake(self) -> None:
        self._bell.set()

    async def take_turn(self) -> bool:
        """False when nothing was there."""
        async with self._turn:
            try:
                return await self._work_off()
            except BaseException:
                self._let_go()
                raise

    async def _work_off(self) -> bool:
        in_flight = await self._collect()
        ready = [taken for taken in in_flight if taken.deliveries]
        if ready:
            await self._apply(ready)
        for taken in in_flight:
            await self._acknowledge(taken)
        return bool(in_flight)

    def _let_go(self) -> None:
        """What was in hand when a turn failed is in no queue any more: let it come again."""
        for claim in self._claims.values():
            claim.consumer.lose()

    async def _acknowledge(self, taken: InFlight) -> None:
        """Unless the consumer was lost meanwhile: then it comes again, and the inbox knows it."""
        if taken.last is None or taken.claim.consumer.is_lost:
            return
        try:
            await taken.last.ack(multiple=True)
        except BROKER_AWAY:
            taken.claim.consumer.lose()

    async def _collect(self) -> list[InFlight]:
        """What is there, up to MAX_ITEMS; what cannot be read is parked on the way."""
        in_flight, items = [], 0
        for claim in self._in_turn():
            taken = InFlight(claim)
            while items < MAX_ITEMS and (message := next_of(claim.consumer)) is not None:
                taken.last = message
                items += await self._read(taken, message)
            if taken.last is not None:
                in_flight.append(taken)
        return in_flight

    def _in_turn(self) -> list[Claim]:
        """All claims; who came first this time comes last the next."""
        claims = list(self._claims.values())
        if claims:
            first = claims[0].partition
            self._claims[first] = self._claims.pop(first)
        return claims

    async def _read(self, taken: InFlight, message: AbstractIncomingMessage) -> int:
        try:
            batch = decode(message, (self._sub.contract,), self._users)
        except Unprocessable as fault:
            await self._park(taken.claim, message, fault)
            return 1
        assert isinstance(batch, Batch)
        taken.deliveries.append((message, Received(meta_of(message), batch)))
        return len(batch)

    async def _apply(self, in_flight: list[InFlight]) -> None:
        """All in one transaction; where that fails for what is in them, one by one."""
        try:
            await self._commit_when_possible(in_flight)
        except Fenced as fenced:
            for taken in in_flight:
                if taken.claim.partition in fenced.partitions:
                    self._give_up(taken.claim)
            held = [taken for taken in in_flight if taken.claim.partition not in fenced.partitions]
            if held:
                await self._apply(held)
        except Exception as fault:  # noqa: BLE001 - whatever a handler raises
            parts = apart(in_flight)
            if len(parts) == 1:
                (taken,) = parts
                await self._park(taken.claim, taken.deliveries[0][0], _as_unprocessable(fault))
                return
            for part in parts:
                if not part.claim.consumer.is_lost:
                    await self._apply([part])

    def _give_up(self, claim: Claim) -> None:
        """Let go of a partition that others took over; its queue is consumed anew, behind them."""
        metrics.PARTITION_FENCED.labels(stage=self._stage).inc()
        log.warning("partition_fenced", queue=self._queue(claim), epoch=claim.epoch)
        claim.consumer.lose()

    async def _commit_when_possible(self, in_flight: list[InFlight]) -> None:
        attempts = 0
        while True:
            try:
                await self._commit(in_flight)
                self._database.misfit = None
                return
            except BaseException as fault:
                for taken in in_flight:
                    self._sub.forget(taken.claim.partition)
                if is_passing(fault):
                    await self._database.back_off(fault)
                    continue
                attempts += 1
                if attempts >= ATTEMPTS or isinstance(fault, Fenced | Unprocessable):
                    raise
                if not isinstance(fault, Exception):
                    raise

    async def _commit(self, in_flight: list[InFlight]) -> None:
        trace.begin(None)
        with metrics.MESSAGE_HANDLING.labels(queue=self._stage).time():
            async with self._database.transaction() as conn:
                await self._own(conn, [taken.claim for taken in in_flight])
                new = await inbox.hear_all(
                    conn,
                    [
                        (self._queue(taken.claim), received.meta.message_id)
                        for taken in in_flight
                        for _, received in taken.deliveries
                    ],
                )
                fresh = [
                    (taken.claim.partition, one)
                    for taken in in_flight
                    if (one := first_of_each(taken.deliveries, new))
                ]
                if fresh:
                    await self._sub.handle(conn, fresh)
        self._count(in_flight, fresh)

    def _count(self, in_flight: list[InFlight], fresh: list[Portion[Batch]]) -> None:
        heard = list(chain.from_iterable(received for _, received in fresh))
        metrics.BATCH_ITEMS.labels(queue=self._stage).observe(sum(len(r.batch) for r in heard))
        consumed = metrics.MESSAGES_CONSUMED
        consumed.labels(queue=self._stage, outcome="done").inc(len(heard))
        repeated = sum(len(taken.deliveries) for taken in in_flight) - len(heard)
        consumed.labels(queue=self._stage, outcome="duplicate").inc(repeated)

    async def _own(self, conn: AsyncConnection, claims: list[Claim]) -> None:
        """Claim a partition with its first transaction, prove it with every other."""
        for claim in claims:
            if claim.epoch is None:
                await self._database.outlast(partial(self._claim, claim))
        held = await epochs.hold(conn, self._stage, [claim.partition for claim in claims])
        lost = {claim.partition for claim in claims if held.get(claim.partition) != claim.epoch}
        if lost:
            raise Fenced(lost)

    async def _claim(self, claim: Claim) -> None:
        """In a transaction of its own: the claim stands even when the work after it fails."""
        async with self._database.transaction() as conn:
            claim.epoch = await epochs.claim(conn, self._stage, claim.partition)
        self._sub.forget(claim.partition)
        metrics.PARTITION_TAKEOVERS.labels(stage=self._stage).inc()

    async def _park(
        self, claim: Claim, message: AbstractIncomingMessage, fault: Unprocessable
    ) -> None:
        """Under the partition's epoch, as any commit: who lost it parks nothing either."""
        queue = self._queue(claim)

        async def park() -> bool:
            async with self._database.transaction() as conn:
                await self._own(conn, [claim])
                return await parked.park(conn, queue, message, fault)

        try:
            done = await self._database.outlast(park)
        except Fenced:
            self._give_up(claim)
            return
        if done:
            metrics.MESSAGES_CONSUMED.labels(queue=self._stage, outcome="parked").inc()
            log.error("message_parked", queue=queue, code=fault.code, reason=fault.detail)

    def _queue(self, claim: Claim) -> str:
        return self._sub.stage.queue_of(claim.partition)


def _as_unprocessable(fault: Exception) -> Unprocessable:
    if isinstance(fault, Unprocessable):
        return fault
    return Unprocessable("handler_failed", repr(fault))
