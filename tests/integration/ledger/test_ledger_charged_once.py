"""What was used is charged once, whatever becomes of the messages that say so."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.ledger.house import House, M

from npms_ledger.handlers.post_charges import PostCharges
from npms_shared.actor import Actor
from npms_shared.contracts.tariff import ChargesBatch
from npms_shared.db.tables import INBOX_KEPT_DAYS, forget_old_keys
from npms_shared.ids import new_id
from npms_shared.messaging import parked
from npms_shared.messaging.partition_consumer import PartitionConsumer
from npms_shared.messaging.queue_consumer import QueueConsumer
from npms_shared.messaging.subscriptions import PartitionSubscription, Portion
from npms_shared.messaging.users import BrokerUsers

PAID = 1_000 * M
PRICE = 10 * M
MOVES = (
    *("say", "say", "deliver_again", "say_again", "fail", "mend", "turn", "turn", "turn"),
    *("hand_over", "wake", "replay", "replay", "forget"),
)
STEPS = st.lists(st.tuples(st.sampled_from(MOVES), st.integers(0, 3)), max_size=30)


async def posted(house: House, account_id: int) -> tuple[int, int, int]:
    """(balance, postings of charges, different registers that they begin at)."""
    query = """
        SELECT p.balance_micro, count(q.seq), count(DISTINCT q.from_register_wh)
        FROM position p LEFT JOIN posting q ON q.account_id = p.account_id AND q.kind = 'charge'
        WHERE p.account_id = :account_id GROUP BY p.account_id
    """
    async with house.database.connect() as conn:
        row = (await conn.execute(text(query), {"account_id": account_id})).one()
    return row[0], row[1], row[2]


async def test_a_charge_said_again_under_another_message_is_parked_and_its_neighbours_posted(
    house: House,
) -> None:
    """By the frame, which tries again; as after a restored database of tariff."""
    mine, other = await house.open(), await house.open()
    await house.pay(mine["account_id"], PAID)
    await house.pay(other["account_id"], PAID)
    first = house.charges((mine, PRICE))
    both = house.charges((other, PRICE), (mine, PRICE))
    again = ChargesBatch.model_validate(
        {
            **{
                name: [*getattr(first, name), *getattr(both, name)]
                for name in ChargesBatch.columns()
            },
            "currency": "KES",
        }
    )
    partition = Partition(house, mine)
    for batch in (first, again, again):
        await partition.take(batch)
    await partition.end()
    assert await posted(house, mine["account_id"]) == (PAID - 2 * PRICE, 2, 2)
    assert await posted(house, other["account_id"]) == (PAID - PRICE, 1, 1)
    codes = [item["code"] for item in (await house.items("/v1/parked-charges"))]
    assert codes == ["already_charged"] * 4
    assert await house.rows("SELECT 1 FROM parked_message") == []
    assert await house.broken() == []


async def test_what_is_charged_without_energy_is_posted_once_beside_what_begins_with_it(
    house: House,
) -> None:
    """A day's charge; what a plan's version lacked of its minimum when it ended at a reading, which
    begins at the register and the instant at which the next version's energy begins.
    """
    mine = await house.open()
    await house.pay(mine["account_id"], PAID)
    begins = house.registers[mine["installation_id"]]
    batch = house.charges(*[(mine, PRICE)] * 3)
    start, end = batch.from_s[0], batch.to_s[0]
    batch = batch.model_copy(
        update={
            "from_register_wh": [begins] * 3,
            "to_register_wh": [begins, begins, begins + 1_000],
            "energy_wh": [0, 0, 1_000],
            "from_s": [start, end, end],
            "to_s": [end, end, end + 60],
        }
    )
    partition = Partition(house, mine)
    await partition.take(batch)
    assert await posted(house, mine["account_id"]) == (PAID - 3 * PRICE, 3, 1)
    await partition.take(batch)
    await partition.end()
    assert await posted(house, mine["account_id"]) == (PAID - 3 * PRICE, 3, 1)
    without_energy = ChargesBatch.model_validate(
        {**{name: getattr(batch, name)[:1] for name in ChargesBatch.columns()}, "currency": "KES"}
    )
    await house.charge((await house.open(), PRICE))
    with pytest.raises(IntegrityError, match="posting_charged_without_energy_once"):
        await house.post_batches(without_energy)


class Delivered:
    """A message as a channel hands it over."""

    app_id, user_id = "/npms/tariff", "npms"

    def __init__(self, message_id: UUID, body: bytes, at: datetime) -> None:
        self.message_id, self.type = str(message_id), ChargesBatch.event_type()
        self.headers: dict[str, Any] = {}
        self.body, self.timestamp = body, at
        self.acknowledge: Callable[[], None] = lambda: None

    async def ack(self, *, multiple: bool) -> None:
        assert multiple
        self.acknowledge()


class Consumer:
    """A process that holds the partition, or believes so."""

    def __init__(self, house: House, fails: Callable[[], bool]) -> None:
        post = PostCharges(house.clock)

        async def handle(conn: AsyncConnection, portions: list[Portion[ChargesBatch]]) -> None:
            await post(conn, portions)
            if fails():
                raise RuntimeError("unlucky")

        subscription = PartitionSubscription(ChargesBatch, handle, forget=post.forget)
        users = BrokerUsers.of("ledger", "amqp://npms@127.0.0.1/")
        self.consumer = PartitionConsumer(house.database, subscription, users)
        self.queue = QueueConsumer("ledger.charges.0")
        self.holding = asyncio.create_task(self.consumer.hold(0, self.queue))

    async def end(self) -> None:
        self.queue.stop()
        await asyncio.gather(self.holding, return_exceptions=True)


@dataclass
class Partition:
    """The partition's queue with its consumers: the one the broker knows, and a frozen one."""

    house: House
    opened: dict[str, Any]
    failing: bool = False
    waiting: list[Delivered] = field(default_factory=list)
    said: list[Delivered] = field(default_factory=list)
    consumer: Consumer | None = None
    frozen: Consumer | None = None

    async def step(self, move: str, number: int) -> None:
        if move == "say":
            await self.put(new_id(), self.house.charges((self.opened, PRICE)).model_dump_json())
        elif move in {"deliver_again", "say_again"} and self.said:
            one = self.said[number % len(self.said)]
            again = UUID(one.message_id) if move == "deliver_again" else new_id()
            await self.put(again, one.body.decode())
        elif move in {"fail", "mend"}:
            self.failing = move == "fail"
        elif move == "turn":
            await self.turn()
        elif move == "hand_over":
            await self.hand_over()
        elif move == "wake" and self.frozen:
            await self.frozen.consumer.take_turn()
        elif move == "replay":
            await self.replay(number)
        elif move == "forget":
            await self.forget()

    async def take(self, batch: ChargesBatch) -> None:
        """A message of its own, at once."""
        await self.put(new_id(), batch.model_dump_json())
        await self.turn()

    async def put(self, message_id: UUID, body: str) -> None:
        message = Delivered(message_id, body.encode(), self.house.clock.now())
        self.said.append(message)
        await self.deliver(message)

    async def deliver(self, message: Delivered) -> None:
        self.waiting.append(message)
        consumer = await self.now_consuming()
        await self.hand_to(consumer, message)

    async def hand_to(self, consumer: Consumer, message: Delivered) -> None:
        def acknowledge() -> None:
            if consumer is not self.consumer:
                raise ConnectionError("the channel has gone")
            del self.waiting[: self.waiting.index(message) + 1]

        handed = Delivered(UUID(message.message_id), message.body, message.timestamp)
        handed.acknowledge = acknowledge
        await consumer.queue.receive(handed)  # type: ignore[arg-type]

    async def now_consuming(self) -> Consumer:
        if self.consumer is None:
            self.consumer = Consumer(self.house, lambda: self.failing)
            await asyncio.sleep(0)
            for message in self.waiting[:-1]:
                await self.hand_to(self.consumer, message)
        return self.consumer

    async def turn(self) -> None:
        """One turn; a consumer that was lost with it is opened anew."""
        consumer = await self.now_consuming()
        await consumer.consumer.take_turn()
        if consumer.queue.is_lost:
            await self.hand_over()

    async def hand_over(self) -> None:
        """The broker gives the partition to another, with all that is not acknowledged."""
        if self.frozen is not None:
            await self.frozen.end()
        self.frozen, self.consumer = self.consumer, Consumer(self.house, lambda: self.failing)
        await asyncio.sleep(0)
        for message in list(self.waiting):
            await self.hand_to(self.consumer, message)

    async def replay(self, number: int) -> None:
        async with self.house.database.transaction() as conn:
            rows = await parked.list_parked(conn)
            if rows:
                one = rows[number % len(rows)].id
                await parked.replay(conn, one, by=Actor("operator"), reason="mended")
        await self.relay()

    async def relay(self) -> None:
        """Replays of the outbox into the queue."""
        async with self.house.database.transaction() as conn:
            query = "DELETE FROM outbox WHERE routing_key = 'ledger.charges.0' RETURNING *"
            rows = (await conn.execute(text(query))).all()
        for row in rows:
            await self.deliver(Delivered(row.message_id, row.body, row.time))

    async def forget(self) -> None:
        """Two weeks go by: the inbox knows nothing more of what it heard."""
        async with self.house.database.transaction() as conn:
            days = {"days": INBOX_KEPT_DAYS + 1}
            await conn.execute(
                text("UPDATE inbox SET heard_at = now() - make_interval(days => :days)"), days
            )
            await forget_old_keys(conn)

    async def settle(self) -> None:
        """Mended: what waits is applied, what is parked replayed, until there is nothing left."""
        self.failing = False
        while True:
            while self.waiting:
                await self.turn()
            async with self.house.database.transaction() as conn:
                rows = await parked.list_parked(conn)
                for row in rows:
                    await parked.replay(conn, row.id, by=Actor("operator"), reason="mended")
            if not rows:
                return
            await self.relay()

    async def end(self) -> None:
        for consumer in (self.consumer, self.frozen):
            if consumer is not None:
                await consumer.end()


@given(steps=STEPS)
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_befalls_its_messages_each_charge_is_posted_once(
    house: House, steps: list[tuple[str, int]]
) -> None:
    """Delivered, failed, parked, delivered again, handed over, replayed, forgotten by the inbox."""
    opened = await house.open()
    await house.pay(opened["account_id"], PAID)
    partition = Partition(house, opened)
    for move, number in steps:
        await partition.step(move, number)
        balance, charges, registers = await posted(house, opened["account_id"])
        assert (balance, charges) == (PAID - charges * PRICE, registers), move
    await partition.settle()
    await partition.end()
    different = len({one.body for one in partition.said})
    assert await posted(house, opened["account_id"]) == (
        PAID - different * PRICE,
        different,
        different,
    )
