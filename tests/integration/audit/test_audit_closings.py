"""Closings in whatever order the messages come: tariff stops, readings are under way, meters are
swapped and people move out; then all is heard, and everything agrees."""

import asyncio
import random
from collections import defaultdict, deque
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.audit.audit_world import PROFILE, World
from tests.integration.audit.test_audit_rules import ALL, spoiled
from tests.support.wait import until

from npms_ledger.handlers.installation_errors import (
    FinalChargePending,
    NotRefundable,
    RegisterBelowBilled,
)
from npms_ledger.handlers.move_out import move_out, request_refund
from npms_ledger.handlers.swap_meter import SwapMeter, swap_meter
from npms_meter_gateway.handlers.record_readings import Readings
from npms_operations.audit.rules import charges, registers
from npms_shared.actor import Actor
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.messaging.subscriptions import PartitionSubscription
from npms_shared.messaging.worker import Worker
from npms_tariff.handlers.errors import NotClosedYet, NotOpenedYet
from npms_tariff.storage.states import StaleState
from npms_tools.stack.services import SERVICES

BY = Actor("test", ("operator",))
AGAIN = (NotClosedYet, NotOpenedYet, StaleState)
SEEDS = range(4)
STEPS = 60


@dataclass(slots=True)
class QueuedWorld(World):
    """What is said waits in the queue of each hearer, until it is that queue's turn."""

    queues: dict[tuple[str, str], deque[Any]] = field(default_factory=lambda: defaultdict(deque))
    stopped: set[str] = field(default_factory=set)
    moved_out: set[int] = field(default_factory=set)

    async def _hear(self, event: Any, meta: Any, routing_key: str) -> None:
        for service, subscriptions in self.hearers.items():
            for one in subscriptions:
                partition = isinstance(one, PartitionSubscription)
                contracts = (one.contract,) if partition else one.contracts
                if type(event) in contracts:
                    name = f"{event.name}.{routing_key}" if partition else one.queue
                    self.queues[service, name].append((one, event, meta, routing_key))

    async def step(self, chance: random.Random) -> bool:
        """The next message of some queue is heard; one that must wait comes back later."""
        ready = [key for key, waiting in self.queues.items() if waiting]
        ready = [key for key in ready if key[0] not in self.stopped]
        if not ready:
            return False
        key = chance.choice(ready)
        one, event, meta, routing_key = self.queues[key].popleft()
        everybody, self.hearers = self.hearers, {key[0]: [one]}
        try:
            await World._hear(self, event, meta, routing_key)
        except AGAIN:
            self.queues[key].append((one, event, meta, routing_key))
        finally:
            self.hearers = everybody
        return True

    async def settle(self) -> None:
        chance = random.Random(0)
        while any([await self._carry(service) for service in self.databases]) or await self.step(
            chance
        ):
            pass

    async def carry(self, chance: random.Random) -> None:
        await self._carry(chance.choice([*self.databases]))

    async def read_all(self, chance: random.Random) -> None:
        """Every meter has used something; the gateway takes what it may."""
        self.clock.advance(timedelta(minutes=chance.randrange(1, 40)))
        for one in self.registers:
            self.registers[one] += chance.randrange(0, 900)
        at_s = int(self.clock.now().timestamp())
        readings = Readings(
            list(self.registers), [at_s] * len(self.registers), list(self.registers.values())
        )
        await self.recorder.record_readings(readings, source="test")

    async def leave(self, account_id: int, installation_id: int, chance: random.Random) -> None:
        """With a final register read by a person, or without."""
        self.clock.advance(timedelta(seconds=chance.randrange(0, 90)))
        finals = {installation_id: self.registers[installation_id]} if chance.random() < 0.5 else {}
        async with self.databases["ledger"].database.transaction() as conn:
            await move_out(
                conn, account_id, registers_wh=finals, reason="", by=BY, now=self.clock.now()
            )
        self.moved_out.add(account_id)

    async def replace(self, account_id: int, installation_id: int, number: int) -> int:
        """The old register was noted before the last of what the meter counted."""
        self.clock.advance(timedelta(seconds=7))
        first_wh = 50 if self.registers[installation_id] < 1_000_000 else 1_000_000
        host = f"10.1.{number // 250 % 250}.{number % 250 + 1}"
        meter = MeterConnection(
            serial=f"N{number}", profile=PROFILE, host=host, port=502, unit_id=1
        )
        command = SwapMeter(
            account_id=account_id,
            installation_id=installation_id,
            closing_register_wh=max(first_wh, self.registers[installation_id] - 200),
            meter=meter,
            opening_register_wh=50,
            reason="",
        )
        async with self.databases["ledger"].database.transaction() as conn:
            new = await swap_meter(conn, command, by=BY, now=self.clock.now())
        self.registers[new] = 50
        return new


async def refund(world: World, account_id: int) -> str:
    """`payable`, or why there is nothing."""
    async with world.databases["ledger"].database.transaction() as conn:
        try:
            await request_refund(
                conn, account_id, payee="p", reason="", by=BY, now=world.clock.now()
            )
        except NotRefundable as fault:
            return fault.code
    return "payable"


async def live(world: QueuedWorld, seed: int) -> None:
    """Some houses of one seed: everything at random, in the order that chance gives."""
    chance = random.Random(seed)
    homes = {}
    for number in range(3):
        account_id = await world.open(1 + seed * 10 + number)
        homes[account_id] = max(world.registers)
        await world.pay(str(account_id), f"{seed}-{number}", amount_micro=9_000_000_000)
    leaving = list(homes)
    for step in range(STEPS):
        deed = chance.random()
        if deed < 0.25:
            await world.read_all(chance)
        elif deed < 0.30:
            world.stopped = {"tariff"} if not world.stopped else set()
        elif deed < 0.36 and leaving:
            account_id = leaving.pop()
            await world.leave(account_id, homes[account_id], chance)
        elif deed < 0.40 and leaving:
            try:
                homes[leaving[0]] = await world.replace(
                    leaving[0], homes[leaving[0]], seed * 100 + step
                )
            except RegisterBelowBilled:
                continue
        elif deed < 0.60:
            await world.carry(chance)
        else:
            await world.step(chance)
    for account_id in leaving:
        await world.leave(account_id, homes[account_id], chance)
    world.stopped = set()
    await world.settle()
    world.registers.clear()


@pytest.fixture
async def made(database_for):
    return {service: await database_for(service) for service in SERVICES}


@pytest.fixture
def world(made):
    return QueuedWorld(made)


async def test_in_any_order_a_closing_ends_where_all_agree_and_is_refunded(world):
    await world.announce_profiles()
    await world.plan()
    for seed in SEEDS:
        await live(world, seed)
    refunds = {account_id: await refund(world, account_id) for account_id in world.moved_out}
    assert set(refunds.values()) == {"payable"}, refunds
    await assert_all_agree(world)


async def assert_all_agree(world: World) -> None:
    async with spoiled(world.databases, {}) as snapshots:
        for check in (registers.check_registers, charges.check_charges):
            result = await check(snapshots, ALL)
            assert result.findings == [], result.findings[:3]


@dataclass(slots=True)
class BrokerWorld(World):
    """Workers of ledger, tariff and gateway on a real broker."""

    amqp_url: str = ""
    running: dict[str, tuple[Worker, asyncio.Task[None]]] = field(default_factory=dict)

    async def start(self, service: str) -> None:
        worker = Worker(
            service=service,
            database=self.databases[service].database,
            amqp_url=self.amqp_url,
            subscriptions=self.hearers[service],
            loops=[],
            partitions=16,
            partition_concurrency=1,
        )
        self.running[service] = worker, asyncio.create_task(worker.run())

        async def connected() -> bool:
            return worker.connected

        await until(connected, within_s=30, what=f"{service} consumes")

    async def stop(self, service: str) -> None:
        worker, task = self.running.pop(service)
        worker.stop()
        await task

    async def settle(self) -> None:
        """What was said has gone to the broker."""
        for service in self.running:
            await self.has(service, "SELECT count(*) = 0 FROM outbox")

    async def has(self, service: str, query: str) -> None:
        async def so() -> bool:
            async with self.databases[service].database.connect() as conn:
                return bool((await conn.execute(text(query))).scalar())

        await until(so, within_s=30, what=f"{service}: {query}")

    async def read_one(self, installation_id: int, used_wh: int) -> None:
        self.clock.advance(timedelta(minutes=20))
        self.registers[installation_id] += used_wh
        at_s, register_wh = int(self.clock.now().timestamp()), self.registers[installation_id]
        await self.recorder.record_readings(
            Readings([installation_id], [at_s], [register_wh]), source="test"
        )
        await self.settle()


async def test_a_reading_under_way_at_a_move_out_is_charged_and_the_closing_ends_at_it(
    made, amqp_url
):
    """Over a real broker: what was rated has not come to the ledger when its customer moves out."""
    world = BrokerWorld(made, amqp_url=amqp_url)
    for service in ("meter-gateway", "tariff", "ledger"):
        await world.start(service)
    try:
        await world.announce_profiles()
        await world.plan()
        await world.has("ledger", "SELECT count(*) = 2 FROM known_plan_version")
        await world.has(
            "ledger",
            "SELECT count(*) = 1 FROM known_profile WHERE profile = 'hiking_dds238_2_znsr'",
        )
        account_id = await world.open(1)
        (one,) = world.registers
        await world.has("tariff", "SELECT count(*) = 1 FROM rating_state")
        await world.has("meter-gateway", "SELECT count(*) = 1 FROM installation")
        await world.read_one(one, 500)
        await world.has("ledger", "SELECT max(to_register_wh) = 1000500 FROM posting")
        await world.stop("ledger")
        await world.read_one(one, 700)
        await world.has("tariff", "SELECT register_wh = 1001200 FROM rating_state")
        world.clock.advance(timedelta(seconds=20))
        async with made["ledger"].database.transaction() as conn:
            await move_out(
                conn, account_id, registers_wh={}, reason="", by=BY, now=world.clock.now()
            )
        with pytest.raises(FinalChargePending):
            await refund(world, account_id)
        await world.start("ledger")
        await world.has("ledger", "SELECT rating_ended_at IS NOT NULL FROM installation")
        assert await refund(world, account_id) == "nothing_to_refund"
        await world.has("ledger", "SELECT closing_register_wh = 1001200 FROM installation")
    finally:
        for service in list(world.running):
            await world.stop(service)
    await assert_all_agree(world)
