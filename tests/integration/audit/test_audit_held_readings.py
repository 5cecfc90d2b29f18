"""From a register that fell to a balance that is right again: gateway, tariff, ledger, audit."""

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import text
from tests.integration.audit.audit_world import World
from tests.integration.audit.test_audit_rules import audit, broken
from tests.support.databases import DatabaseFactory

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.decide_held import (
    Correction,
    correct_held,
    reject_held,
    release_held,
)
from npms_meter_gateway.handlers.record_readings import Outcome, Readings
from npms_operations.audit.rules import held
from npms_shared.actor import Actor
from npms_tools.stack.services import SERVICES

QUARTER = timedelta(minutes=15)
WHY = "cleared by the fitter, order 17"
AMINA: Any = {"by": Actor("amina"), "reason": WHY}


@pytest.fixture
async def world(databases: DatabaseFactory) -> AsyncIterator[World]:
    """One account with money, whose meter showed 1,000,000 Wh at the opening."""
    made = {service: await databases.make(service) for service in SERVICES}
    world = World(made)
    await world.announce_profiles()
    await world.plan()
    account_id = await world.open(1)
    await world.pay(str(account_id), "statement-1", amount_micro=900_000_000)
    yield world
    for database in made.values():
        await databases.drop(database)


async def take(world: World, *registers_wh: int) -> Outcome:
    """One reading a quarter of an hour, all sent together at the end."""
    at_s = []
    for _ in registers_wh:
        world.clock.advance(QUARTER)
        at_s.append(int(world.clock.now().timestamp()))
    outcome = await world.recorder.record_readings(
        Readings([1] * len(at_s), at_s, list(registers_wh)), source="test"
    )
    await world.settle()
    return outcome


async def rows(world: World, service: str, query: str) -> list[tuple]:
    async with world.databases[service].database.connect() as conn:
        return [tuple(row) for row in await conn.execute(text(query))]


async def charged(world: World) -> list[tuple[int, int]]:
    """(from, to) register of every charge."""
    query = (
        "SELECT from_register_wh, to_register_wh FROM posting WHERE kind = 'charge' ORDER BY seq"
    )
    return await rows(world, "ledger", query)


async def is_held(world: World) -> bool:
    query = "SELECT 1 FROM billing_hold WHERE released_at IS NULL"
    return bool(await rows(world, "tariff", query))


async def prove(world: World) -> None:
    await world.switch()
    found = await audit(world.databases, {})
    assert not broken(found), [result.findings for result in found.values()]


async def test_r4_a_cleared_counter_is_held_told_once_and_charged_exactly_after_its_release(world):
    await take(world, 1_000_400, 1_000_800)
    cleared = await take(world, 0, 350, 700)
    assert set(cleared.others.values()) == {Verdict.BACKWARDS}
    assert await is_held(world)
    events = await rows(world, "meter-gateway", "SELECT kind FROM meter_event")
    assert events == [("register_fell",)], "once, not at every reading"
    await world.of_gateway(release_held, 1, **AMINA)
    await world.settle()
    assert not await is_held(world)
    assert (await take(world, 1_050)).accepted == 1
    ends = [to for _, to in await charged(world)]
    assert ends[-3:] == [1_001_150, 1_001_500, 1_001_850], "each quarter by itself"
    states = await rows(world, "meter-gateway", "SELECT state FROM held_reading")
    assert states == [("released",)] * 3
    released = await rows(world, "tariff", "SELECT released_by, note FROM billing_hold LIMIT 1")
    assert released == [("amina", WHY)]
    await prove(world)


async def test_r4_the_energy_that_a_cleared_counter_lost_is_put_in_by_a_correction(world):
    await take(world, 1_000_400, 1_000_800)
    await take(world, 0, 350)
    await world.of_gateway(correct_held, 1, Correction(1_001_100), **AMINA)
    await world.settle()
    assert (await take(world, 700)).accepted == 1
    assert (await charged(world))[-1][1] == 1_001_800
    await prove(world)


async def test_r4_a_fall_that_was_a_misreading_is_rejected_and_billing_goes_on(world):
    await take(world, 1_000_400)
    await take(world, 12, 1_000_800, 1_001_200)
    assert await is_held(world)
    await world.of_gateway(reject_held, 1, **AMINA)
    await world.settle()
    assert not await is_held(world)
    await take(world, 1_001_600)
    assert (await charged(world))[-1] == (1_000_400, 1_001_600)
    await prove(world)


async def test_r4_billing_stays_held_until_every_fall_is_decided(world):
    await take(world, 1_000_400, 12, 20, 1_000_800)
    await world.of_gateway(reject_held, 1, **AMINA)
    await world.settle()
    assert await is_held(world)
    await world.of_gateway(reject_held, 2, all_of_cause=True, **AMINA)
    await world.settle()
    assert not await is_held(world)
    await prove(world)


async def test_a_fall_told_after_it_was_decided_holds_nothing(world):
    """The two travel in different queues."""
    await take(world, 1_000_400)
    world.clock.advance(QUARTER)
    readings = Readings([1], [int(world.clock.now().timestamp())], [12])
    await world.recorder.record_readings(readings, source="test")
    gateway = world.databases["meter-gateway"].database
    async with gateway.transaction() as conn:
        late = (
            await conn.execute(
                text("DELETE FROM outbox WHERE routing_key = 'register_fell.v1' RETURNING *")
            )
        ).one()
    await world.of_gateway(reject_held, 1, **AMINA)
    await world.settle()
    async with gateway.transaction() as conn:
        await conn.execute(
            text(
                "INSERT INTO outbox (message_id, exchange, routing_key, type, source, subject, "
                "time, traceparent, body) VALUES (:message_id, :exchange, :routing_key, :type, "
                ":source, :subject, :time, :traceparent, :body)"
            ),
            dict(late._mapping),
        )
    await world.settle()
    assert not await is_held(world)
    await take(world, 1_000_800)
    assert (await charged(world))[-1] == (1_000_400, 1_000_800)
    await prove(world)


async def test_r6_a_spike_of_9113_kwh_is_held_never_charged_and_harmless_in_the_end(world):
    outcome = await take(world, 1_000_400, 10_113_400, 1_000_800)
    assert outcome.others == {1: Verdict.JUMP}
    assert [to for _, to in await charged(world)][-1] == 1_000_800
    await prove(world)


async def test_what_is_released_is_counted_by_the_audit(world):
    await take(world, 1_000_400, 12)
    await world.of_gateway(release_held, 1, **AMINA)
    await world.settle()
    found = await audit(world.databases, {})
    assert found[held.RULE].checked == {"released": 1}
    await prove(world)
