"""A meter's life with people who decide, against a sum kept beside it: recorder and database."""

import random
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.change_ratio import Ratio, change_ratio
from npms_meter_gateway.handlers.decide_held import (
    Correction,
    correct_held,
    reject_held,
    release_held,
)
from npms_meter_gateway.handlers.record_readings import Readings
from npms_meter_gateway.invariants import RULES
from npms_shared.actor import Actor
from npms_shared.clock import ManualClock
from npms_shared.db import invariants

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
MODULUS_WH = 42_949_672_960
OPENING_WH = MODULUS_WH - 40_000
QUARTER = timedelta(minutes=15)
AMINA: Any = {"by": Actor("amina"), "reason": "seen on site"}


class Life:
    """`expected_wh` is what the validated register has to be, by what was really used."""

    def __init__(self, world: World, seed: int) -> None:
        self.world, self.chance = world, random.Random(seed)
        self.recorders = [world.recorder(), world.recorder()]
        self.display_wh, self.expected_wh = OPENING_WH, OPENING_WH
        self.ratio, self.since_wh, self.base_wh = Fraction(1), 0, OPENING_WH
        self.held: list[int] = []

    async def step(self) -> None:
        self.world.clock.advance(QUARTER)
        steps = (self.read, self.read, self.read, self.misread, self.clear, self.change_ratio)
        await self.chance.choice(steps)()

    async def send(self, shown_wh: int) -> Verdict:
        """By one of two processes, whose memories must not matter."""
        at_s = int(self.world.clock.now().timestamp())
        recorder = self.chance.choice(self.recorders)
        outcome = await recorder.record_readings(Readings([1], [at_s], [shown_wh]), source="test")
        return outcome.others.get(0, Verdict.ACCEPTED)

    def use(self) -> None:
        used_wh = self.chance.randrange(0, 900) * 10
        self.display_wh = (self.display_wh + used_wh) % MODULUS_WH
        self.since_wh += used_wh
        moved = self.since_wh * self.ratio
        self.expected_wh = self.base_wh + moved.numerator // moved.denominator

    def begin(self, ratio: Fraction) -> None:
        self.ratio, self.since_wh, self.base_wh = ratio, 0, self.expected_wh

    async def read(self) -> None:
        self.use()
        assert await self.send(self.display_wh) is Verdict.ACCEPTED

    async def misread(self) -> None:
        """Rejected later, or never looked at."""
        wrong_wh = (self.display_wh + self.chance.randrange(10**9, 3 * 10**10)) % MODULUS_WH
        assert await self.send(wrong_wh) in {Verdict.JUMP, Verdict.BACKWARDS}
        if self.chance.random() < 0.5:
            await self.world.do(reject_held, await self.last_held(), all_of_cause=True, **AMINA)

    async def clear(self) -> None:
        """The counter begins anew; some readings later a person has decided."""
        if not 100_000 < self.display_wh < MODULUS_WH * 9 // 10:
            return
        self.display_wh = self.chance.randrange(0, 50) * 10
        self.begin(self.ratio)
        assert await self.send(self.display_wh) is Verdict.BACKWARDS
        held_id = await self.last_held()
        for _ in range(self.chance.randrange(3)):
            self.world.clock.advance(QUARTER)
            self.use()
            assert await self.send(self.display_wh) is Verdict.BACKWARDS
        if self.chance.random() < 0.5:
            await self.world.do(release_held, held_id, **AMINA)
        else:
            lost_wh = self.chance.randrange(0, 5_000)
            right_wh = self.base_wh + lost_wh
            self.base_wh, self.expected_wh = right_wh, self.expected_wh + lost_wh
            correction = Correction(right_wh, counts_on=True)
            await self.world.do(correct_held, held_id, correction, **AMINA)

    async def change_ratio(self) -> None:
        self.use()
        ratio = self.chance.choice([Fraction(1), Fraction(15, 2), Fraction(40)])
        at_s = int(self.world.clock.now().timestamp())
        await self.world.do(change_ratio, 1, Ratio(at_s, ratio, self.display_wh), **AMINA)
        self.begin(ratio)

    async def last_held(self) -> int:
        (row,) = await self.world.rows("SELECT max(held_id) AS held_id FROM held_reading")
        return int(row["held_id"])


@pytest.mark.parametrize("seed", range(4))
async def test_r9_whatever_people_decide_registers_never_fall_and_nothing_is_lost(
    database_for: Callable[[str], Awaitable[TestDatabase]], seed: int
) -> None:
    world = World(await database_for("meter-gateway"), ManualClock(START))
    await world.open(1, opening_register_wh=OPENING_WH, max_power_w=2_000_000)
    life = Life(world, seed)
    for _ in range(60):
        await life.step()
    world.clock.advance(QUARTER)
    await life.read()
    registers = await world.registers(1)
    assert registers == sorted(registers)
    assert registers[-1] == life.expected_wh
    assert await invariants.check(world.database, RULES) == []
    decisions = await world.rows("SELECT DISTINCT decision FROM held_decision")
    happened = {row["decision"] for row in decisions}
    assert "rejected" in happened
    assert happened & {"released", "corrected"}, "a counter was cleared on the way"
    assert len(await world.rows("SELECT * FROM reckoning")) > 5
