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
from npms_shared.messaging.in_hand import (
    Fenced,
    Hand,
    Share,
    apart,
    first_of_each,
    next_of,
)
from npms_shared.messaging.lane import Lane
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


class Crew:
    """Works on whatever partitions its lanes hold at the moment, one transaction at a time."""

    def __init__(
        self, database: Database, subscription: PartitionSubscription[Batch], users: BrokerUsers
    ) -> None:
        self._database, self._sub, self._users = database, subscription, users
        self._shares: dict[int, Share] = {}
        self._bell = asyncio.Event()
        self._turn = asyncio.Lock()
        self._stage = subscription.stage.queue

    async def hold(self, partition: int, lane: Lane) -> None:
        """Work on a partition's lane until it is stopped; raises LaneLost when it is lost."""
        self._sub.forget(partition)
        self._shares[partition] = Share(partition, lane)
        lane.ring(self._bell)
        try:
            await lane.ended()
        finally:
            async with self._turn:
                del self._shares[partition]
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
        hands = await self._collect()
        ready = [hand for hand in hands if hand.deliveries]
        if ready:
            await self._apply(ready)
        for hand in hands:
            await self._acknowledge(hand)
        return bool(hands)

    def _let_go(self) -> None:
        """What was in hand when a turn failed is in no lane any more: let it come again."""
        for share in self._shares.values():
            share.lane.lose()

    async def _acknowledge(self, hand: Hand) -> None:
        """Unless the lane was lost meanwhile: then it comes again, and the inbox knows it."""
        if hand.last is None or hand.share.lane.is_lost:
            return
        try:
            await hand.last.ack(multiple=True)
        except BROKER_AWAY:
            hand.share.lane.lose()

    async def _collect(self) -> list[Hand]:
        """What is there, up to MAX_ITEMS; what cannot be read is parked on the way."""
        hands, items = [], 0
        for share in self._in_turn():
            hand = Hand(share)
            while items < MAX_ITEMS and (message := next_of(share.lane)) is not None:
                hand.last = message
                items += await self._read(hand, message)
            if hand.last is not None:
                hands.append(hand)
        return hands

    def _in_turn(self) -> list[Share]:
        """All shares; who came first this time comes last the next."""
        shares = list(self._shares.values())
        if shares:
            first = shares[0].partition
            self._shares[first] = self._shares.pop(first)
        return shares

    async def _read(self, hand: Hand, message: AbstractIncomingMessage) -> int:
        try:
            batch = decode(message, (self._sub.contract,), self._users)
        except Unprocessable as fault:
            await self._park(hand.share, message, fault)
            return 1
        assert isinstance(batch, Batch)
        hand.deliveries.append((message, Received(meta_of(message), batch)))
        return len(batch)

    async def _apply(self, hands: list[Hand]) -> None:
        """All in one transaction; where that fails for what is in them, one by one."""
        try:
            await self._commit_when_possible(hands)
        except Fenced as fenced:
            for hand in hands:
                if hand.share.partition in fenced.partitions:
                    self._give_up(hand.share)
            held = [hand for hand in hands if hand.share.partition not in fenced.partitions]
            if held:
                await self._apply(held)
        except Exception as fault:  # noqa: BLE001 - whatever a handler raises
            parts = apart(hands)
            if len(parts) == 1:
                (hand,) = parts
                await self._park(hand.share, hand.deliveries[0][0], _as_unprocessable(fault))
                return
            for part in parts:
                if not part.share.lane.is_lost:
                    await self._apply([part])

    def _give_up(self, share: Share) -> None:
        """Let go of a partition that others took over; its lane is opened anew, in the queue."""
        metrics.PARTITION_FENCED.labels(stage=self._stage).inc()
        log.warning("partition_fenced", queue=self._queue(share), epoch=share.epoch)
        share.lane.lose()

    async def _commit_when_possible(self, hands: list[Hand]) -> None:
        attempts = 0
        while True:
            try:
                await self._commit(hands)
                self._database.misfit = None
                return
            except BaseException as fault:
                for hand in hands:
                    self._sub.forget(hand.share.partition)
                if is_passing(fault):
                    await self._database.back_off(fault)
                    continue
                attempts += 1
                if attempts >= ATTEMPTS or isinstance(fault, Fenced | Unprocessable):
                    raise
                if not isinstance(fault, Exception):
                    raise

    async def _commit(self, hands: list[Hand]) -> None:
        trace.begin(None)
        with metrics.MESSAGE_HANDLING.labels(queue=self._stage).time():
            async with self._database.transaction() as conn:
                await self._own(conn, [hand.share for hand in hands])
                new = await inbox.hear_all(
                    conn,
                    [
                        (self._queue(hand.share), received.meta.message_id)
                        for hand in hands
                        for _, received in hand.deliveries
                    ],
                )
                fresh = [
                    (hand.share.partition, one)
                    for hand in hands
                    if (one := first_of_each(hand.deliveries, new))
                ]
                if fresh:
                    await self._sub.handle(conn, fresh)
        self._count(hands, fresh)

    def _count(self, hands: list[Hand], fresh: list[Portion[Batch]]) -> None:
        heard = list(chain.from_iterable(received for _, received in fresh))
        metrics.BATCH_ITEMS.labels(queue=self._stage).observe(sum(len(r.batch) for r in heard))
        consumed = metrics.MESSAGES_CONSUMED
        consumed.labels(queue=self._stage, outcome="done").inc(len(heard))
        repeated = sum(len(hand.deliveries) for hand in hands) - len(heard)
        consumed.labels(queue=self._stage, outcome="duplicate").inc(repeated)

    async def _own(self, conn: AsyncConnection, shares: list[Share]) -> None:
        """Claim a partition with its first transaction, prove it with every other."""
        for share in shares:
            if share.epoch is None:
                await self._database.outlast(partial(self._claim, share))
        held = await epochs.hold(conn, self._stage, [share.partition for share in shares])
        lost = {share.partition for share in shares if held.get(share.partition) != share.epoch}
        if lost:
            raise Fenced(lost)

    async def _claim(self, share: Share) -> None:
        """In a transaction of its own: the claim stands even when the work after it fails."""
        async with self._database.transaction() as conn:
            share.epoch = await epochs.claim(conn, self._stage, share.partition)
        self._sub.forget(share.partition)
        metrics.PARTITION_TAKEOVERS.labels(stage=self._stage).inc()

    async def _park(
        self, share: Share, message: AbstractIncomingMessage, fault: Unprocessable
    ) -> None:
        """Under the partition's epoch, as any commit: who lost it parks nothing either."""
        queue = self._queue(share)

        async def park() -> bool:
            async with self._database.transaction() as conn:
                await self._own(conn, [share])
                return await parked.park(conn, queue, message, fault)

        try:
            done = await self._database.outlast(park)
        except Fenced:
            self._give_up(share)
            return
        if done:
            metrics.MESSAGES_CONSUMED.labels(queue=self._stage, outcome="parked").inc()
            log.error("message_parked", queue=queue, code=fault.code, reason=fault.detail)

    def _queue(self, share: Share) -> str:
        return self._sub.stage.queue_of(share.partition)


def _as_unprocessable(fault: Exception) -> Unprocessable:
    if isinstance(fault, Unprocessable):
        return fault
    return Unprocessable("handler_failed", repr(fault))
