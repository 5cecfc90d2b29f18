"""R11: what a meter froze during an outage is read when it is back."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, operating, operation
from tests.support.keeping_meter import FREEZES, KEPT_FREEZES, KeepingMeter
from tests.support.wait import until

from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_shared.clock import ManualClock

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
NAIROBI = ZoneInfo("Africa/Nairobi")
START = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
REGISTER_WH = 1_000_000


def used_wh(day: int) -> int:
    """Unlike on any other day, in steps of the register."""
    return 10 * (300 + 37 * day % 211)


@pytest.fixture
async def world(database_for: MakeDatabase) -> World:
    return World(await database_for("meter-gateway"), ManualClock(START))


@pytest.fixture
async def meter(world: World) -> AsyncIterator[KeepingMeter]:
    async with KeepingMeter(world.clock, ahead=timedelta(hours=3)).served() as meter:
        await world.open(1, meter=meter.connection(), opening_register_wh=REGISTER_WH)
        yield meter


def polling(world: World) -> Any:
    policy = ClockPolicy(NAIROBI)
    return operating(operation(world, interval_s=0.05, slow_s=0.05, clocks=policy))


async def read_until(world: World, count: int) -> None:
    async def enough() -> bool:
        return len(await world.registers(1)) >= count

    async with polling(world):
        await until(enough)


async def first_read(world: World) -> None:
    """The last reading before the outage, a minute after the opening; its clock is known then."""
    world.clock.advance(timedelta(minutes=1))

    async def looked_at() -> bool:
        rows = await world.rows("SELECT drift_s FROM meter_round WHERE drift_s IS NOT NULL")
        return bool(rows) and len(await world.registers(1)) == 1

    async with polling(world):
        await until(looked_at)


def live_through(world: World, meter: KeepingMeter, days: int) -> None:
    """So many of its midnights pass; the meter counts and freezes, and nobody reads it."""
    midnight = meter.now().replace(hour=0, minute=0, second=0)
    for day in range(days):
        meter.register_wh += used_wh(day)
        midnight += timedelta(days=1)
        meter.freezes.insert(0, (midnight, meter.register_wh))
    del meter.freezes[KEPT_FREEZES:]
    meter.register_wh += used_wh(days)
    world.clock.advance(midnight - meter.now() + timedelta(hours=10))


async def readings(world: World) -> list[tuple[datetime, int]]:
    rows = await world.rows("SELECT taken_at, register_wh FROM reading ORDER BY taken_at")
    return [(row["taken_at"], row["register_wh"]) for row in rows]


async def test_r11_ninety_daily_freezes_come_before_the_current_register(
    world: World, meter: KeepingMeter
) -> None:
    await first_read(world)
    live_through(world, meter, 90)
    await read_until(world, 92)
    rows = await readings(world)
    assert rows[0] == (START + timedelta(minutes=1), REGISTER_WH)
    assert rows[-1] == (world.clock.at, meter.register_wh)
    days = rows[1:-1]
    assert [register for _, register in days] == [wh for _, wh in meter.freezes[::-1]]
    assert {at.astimezone(NAIROBI).strftime("%H:%M:%S") for at, _ in days} == {"00:00:00"}
    assert [b[0] - a[0] for a, b in pairwise(days)] == [timedelta(days=1)] * 89
    total = sum(used_wh(day) for day in range(91))
    assert rows[-1][1] - rows[0][1] == total, "to the last digit"
    assert await world.rows("SELECT * FROM held_reading") == []


async def test_r11_freezes_are_read_once(world: World, meter: KeepingMeter) -> None:
    await first_read(world)
    live_through(world, meter, 5)
    await read_until(world, 7)
    asked = {at: n for at, n in meter.asked.items() if FREEZES <= at < FREEZES + KEPT_FREEZES}
    assert asked == dict.fromkeys(range(FREEZES, FREEZES + 6), 1), "back to the last reading"
    world.clock.advance(timedelta(minutes=1))
    meter.register_wh += 10
    await read_until(world, 8)
    assert len(await readings(world)) == 8
    assert sum(n for at, n in meter.asked.items() if at == FREEZES) == 1, "no gap, none asked for"


async def test_r11_of_an_outage_longer_than_what_is_kept_the_newest_are_taken(
    world: World, meter: KeepingMeter
) -> None:
    await first_read(world)
    live_through(world, meter, 120)
    await read_until(world, 92)
    rows = await readings(world)
    assert len(rows) == 92
    assert rows[-1][1] - rows[0][1] == sum(used_wh(day) for day in range(121))


async def test_r11_freezes_of_a_clock_that_drifts_lie_where_they_were_taken(
    world: World, meter: KeepingMeter
) -> None:
    await first_read(world)
    meter.ahead += timedelta(seconds=300)
    live_through(world, meter, 3)
    await read_until(world, 5)
    days = (await readings(world))[1:-1]
    assert {at.astimezone(NAIROBI).strftime("%H:%M") for at, _ in days} == {"23:55"}


async def test_r11_freezes_of_a_clock_that_was_changed_are_not_believed_and_the_total_is(
    world: World, meter: KeepingMeter
) -> None:
    await first_read(world)
    live_through(world, meter, 3)
    meter.ahead -= timedelta(days=400)
    await read_until(world, 2)
    rows = await readings(world)
    assert [register for _, register in rows] == [REGISTER_WH, meter.register_wh]


@pytest.mark.parametrize("answers", ["refuses", "is_silent_on_them"])
async def test_r11_a_meter_that_does_not_tell_its_freezes_is_read_all_the_same(
    world: World, meter: KeepingMeter, answers: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await first_read(world)
    live_through(world, meter, 3)
    if answers == "refuses":
        meter.refused = {FREEZES}
    else:
        answered = meter.answer

        def answer(pdu: bytes) -> bytes | None:
            is_freeze = FREEZES <= int.from_bytes(pdu[1:3]) < FREEZES + KEPT_FREEZES
            return None if is_freeze else answered(pdu)

        monkeypatch.setattr(KeepingMeter, "answer", lambda _, pdu: answer(pdu))
    await read_until(world, 2)
    assert [register for _, register in await readings(world)] == [REGISTER_WH, meter.register_wh]
