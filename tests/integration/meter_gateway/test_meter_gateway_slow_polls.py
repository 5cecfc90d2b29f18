"""Slow polls: clocks, logs, phases, registers that stand still; a meter on a real socket."""

from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, operating, operation, scaled_clock
from tests.support.keeping_meter import CLOCK, EVENTS, KeepingMeter
from tests.support.wait import until

from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_shared.clock import ScaledClock, wall_now

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def world(database_for: MakeDatabase) -> World:
    clock = scaled_clock(1.0)
    return World(await database_for("meter-gateway"), clock)


@pytest.fixture
async def meter(world: World) -> AsyncIterator[KeepingMeter]:
    async with KeepingMeter(world.clock).served() as meter:
        await world.open(1, meter=meter.connection(), opening_register_wh=meter.register_wh)
        yield meter


async def raised(world: World, kind: str) -> bool:
    return kind in await world.events(1)


async def rounds_done(world: World, meter: KeepingMeter, more: int = 2) -> None:
    """Wait until so many further slow polls looked at the log, which comes last in each."""
    seen = meter.asked.get(EVENTS, 0)
    await until(lambda: _asked(meter, seen + 2 * more))


async def _asked(meter: KeepingMeter, times: int) -> bool:
    return meter.asked.get(EVENTS, 0) >= times


@pytest.mark.parametrize(
    "ahead",
    [
        timedelta(seconds=400),
        timedelta(days=-1),
        datetime(2000, 1, 1, tzinfo=UTC) - datetime(2026, 3, 2, 17, 0, tzinfo=UTC),
    ],
    ids=["400s_ahead", "a_day_behind", "in_2000"],
)
async def test_r13_a_clock_that_is_off_is_recorded_and_set_once_and_readings_bear_our_time(
    world: World, meter: KeepingMeter, ahead: timedelta
) -> None:
    meter.ahead = ahead
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: raised(world, "clock_set"))
        await rounds_done(world, meter)
        await until(lambda: world.has_registers(1, 2))
    assert len(meter.set_at) == 1
    assert abs(meter.now() - world.clock.now().replace(tzinfo=None)) <= timedelta(seconds=2)
    (told,) = await world.rows("SELECT detail FROM meter_event WHERE kind = 'clock_set'")
    assert abs(int(told["detail"].split()[1]) - ahead.total_seconds()) <= 2
    (kept,) = await world.rows("SELECT drift_s, clock_set_on FROM meter_round")
    assert abs(kept["drift_s"]) <= 2
    times = [r["taken_at"] for r in await world.rows("SELECT taken_at FROM reading ORDER BY 1")]
    assert times == sorted(set(times)), "no interval overlaps another"
    assert times
    assert min(times) >= datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
    assert max(times) <= world.clock.now()
    assert await world.open_alarms() == []


async def test_r13_a_clock_is_set_at_most_once_a_day_and_one_that_stays_wrong_is_an_alarm(
    world: World, meter: KeepingMeter
) -> None:
    meter.ahead, meter.takes_time = timedelta(seconds=400), False
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: raised(world, "clock_wrong"))
        await rounds_done(world, meter, 3)
        assert len(meter.set_at) == 1, "it was tried once on this day"
        meter.ahead = timedelta()

        async def over() -> bool:
            return await world.open_alarms() == []

        await until(over)
    assert await world.events(1) == ["clock_set", "clock_wrong"]


async def test_r13_a_clock_a_little_off_is_left_alone(world: World, meter: KeepingMeter) -> None:
    meter.ahead = timedelta(seconds=40)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await rounds_done(world, meter)
    assert meter.set_at == []
    (kept,) = await world.rows("SELECT drift_s FROM meter_round")
    assert 38 <= kept["drift_s"] <= 41
    assert await world.events(1) == []


async def test_r13_clocks_go_by_the_zone_that_is_set(world: World, meter: KeepingMeter) -> None:
    meter.ahead = timedelta(hours=3)
    policy = ClockPolicy(ZoneInfo("Africa/Nairobi"))
    async with operating(operation(world, interval_s=0.05, slow_s=0.05, clocks=policy)):
        await rounds_done(world, meter)
    assert meter.set_at == []
    (kept,) = await world.rows("SELECT drift_s FROM meter_round")
    assert abs(kept["drift_s"]) <= 2


async def log_of(world: World) -> list[tuple[str, str]]:
    rows = await world.rows("SELECT kind, detail FROM meter_event ORDER BY event_id")
    return [(row["kind"], row["detail"]) for row in rows]


async def test_r17_events_are_read_once_and_in_order(world: World, meter: KeepingMeter) -> None:
    meter.happens(0x0100)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await rounds_done(world, meter)
        assert await log_of(world) == [], "what happened before us is history"
        meter.happens(0x0101, at=datetime(2026, 3, 2, 18, 0))  # noqa: DTZ001
        meter.happens(0x0100, at=datetime(2026, 3, 2, 18, 5))  # noqa: DTZ001
        meter.happens(0x0200, 1, at=datetime(2026, 3, 2, 18, 6))  # noqa: DTZ001
        await until(lambda: raised(world, "register_cleared"))
        await rounds_done(world, meter)
        assert await log_of(world) == [
            ("power_down", "2026-03-02 18:00:00 by its clock, code 0x0101 0"),
            ("power_up", "2026-03-02 18:05:00 by its clock, code 0x0100 0"),
            ("register_cleared", "2026-03-02 18:06:00 by its clock, code 0x0200 1"),
        ]
    meter.happens(0x0400, 0x0008)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: raised(world, "phase_loss"))
    assert len(await log_of(world)) == 4, "a restart reads none again"


async def test_r17_of_a_full_log_none_is_lost_and_an_overflow_is_told(
    world: World, meter: KeepingMeter
) -> None:
    meter.happens(0x0100)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await rounds_done(world, meter)
    for number in range(1, 100):
        meter.happens(0x0101 if number % 2 else 0x0100, number)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: told(world, 99))
        await rounds_done(world, meter)
    assert await ordered(world) == list(range(1, 100)), "99 pending: all of them, no overflow"
    for number in range(100, 250):
        meter.happens(0x0101, number)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: told(world, 200))
        await rounds_done(world, meter)
    kinds = [kind for kind, _ in await log_of(world)]
    assert kinds[99] == "event_log_overflow"
    assert await ordered(world) == [*range(1, 100), *range(150, 250)], "what it still had"


async def told(world: World, count: int) -> bool:
    return len(await log_of(world)) >= count


async def ordered(world: World) -> list[int]:
    log = await log_of(world)
    return [int(detail.split()[-1]) for kind, detail in log if kind.startswith("power")]


async def test_r17_a_log_that_grows_while_it_is_read_is_told_once(
    world: World, meter: KeepingMeter
) -> None:
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await rounds_done(world, meter)
        for number in range(30):
            seen = meter.asked.get(EVENTS, 0)
            meter.happens(0x0101, number)
            await until(lambda s=seen: _asked(meter, s + 1))
        await until(lambda: told(world, 30))
        await rounds_done(world, meter)
    assert await ordered(world) == list(range(30))


async def test_r4_a_cleared_register_is_told_from_the_log_and_its_readings_are_held(
    world: World, meter: KeepingMeter
) -> None:
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: world.has_registers(1, 1))
        await rounds_done(world, meter)
        meter.register_wh = 0
        meter.happens(0x0200, 1)
        await until(lambda: raised(world, "register_cleared"))

        async def held() -> bool:
            return bool(await world.said("register_fell.v1"))

        await until(held)
    assert set(await world.registers(1)) == {1_000_000}


@pytest.mark.parametrize(
    ("voltages_v", "kind"),
    [
        ((230.0, 0.0, 231.0), "phase_loss"),
        ((285.0, 160.0, 250.0), "neutral_missing"),
        ((231.0, 190.0, 230.0), "voltage_imbalance"),
    ],
)
async def test_r16_what_phases_show_is_an_alarm_and_no_energy_is_corrected(
    world: World, meter: KeepingMeter, voltages_v: tuple[float, float, float], kind: str
) -> None:
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await rounds_done(world, meter)
        meter.voltages_v = voltages_v
        await until(lambda: raised(world, kind))
        meter.register_wh += 10

        async def counted() -> bool:
            return (await world.registers(1))[-1:] == [meter.register_wh]

        await until(counted)
        await rounds_done(world, meter)
        assert await world.open_alarms() == [kind], "and told once"
        meter.voltages_v = (230.0, 230.0, 230.0)

        async def over() -> bool:
            return await world.open_alarms() == []

        await until(over)
    assert await world.events(1) == [kind]


async def test_r16_power_that_flows_back_on_one_phase_is_told(
    world: World, meter: KeepingMeter
) -> None:
    meter.powers_w = (900, -700, 800)
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await until(lambda: raised(world, "phase_reversed"))
    (alarm,) = await world.rows("SELECT kind, detail FROM alarm")
    assert alarm["detail"] == "900 / -700 / 800 W"


async def test_r15_a_register_that_stands_still_while_current_flows_is_an_alarm(
    world: World, meter: KeepingMeter
) -> None:
    world.clock = ScaledClock(
        anchor=wall_now(), start=datetime(2026, 3, 2, 17, 0, tzinfo=UTC), speed=2000.0
    )
    meter.clock = world.clock
    async with operating(operation(world, interval_s=0.05)):
        await until(lambda: world.has_registers(1, 5))
        assert await world.events(1) == [], "nothing flows: it may stand"
        meter.power_w = 2_000
        await until(lambda: raised(world, "stuck_register"))
        meter.register_wh += 20

        async def over() -> bool:
            return await world.open_alarms() == []

        await until(over)
    assert await world.events(1) == ["stuck_register"]


async def test_what_a_meter_refuses_keeps_the_rest_of_the_round_from_nothing(
    world: World, meter: KeepingMeter
) -> None:
    meter.refused = {CLOCK}
    async with operating(operation(world, interval_s=0.05, slow_s=0.05)):
        await rounds_done(world, meter)
        meter.happens(0x0101)
        await until(lambda: raised(world, "power_down"))
    assert meter.asked[CLOCK] >= 1
