"""Load limits over real Modbus, and commands that are overtaken right before they are sent."""

from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    PROFILES,
    World,
    of_profile,
    operating,
    operation,
    serving,
)
from tests.support.switch_world import Interrupted
from tests.support.wait import until

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.handlers.switch_supply import Wanted, list_due
from npms_meter_gateway.polling.supply_attempt import attempt
from npms_tools.street.meter import Faults
from npms_tools.street.street import LIMITING, Plan, Street, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
HIKING = "hiking_dds238_2_znsr"


@pytest.fixture
async def street(world: World) -> AsyncIterator[Street]:
    """Two meters that can limit, each wanting 3 kW, and one that cannot."""
    plan = Plan(meters=3, gateways=1, port_base=0, profiles=(LIMITING, LIMITING, HIKING))
    async with serving(build_street(plan, world.clock)) as street:
        for meter in street.meters.values():
            meter.load_w = 3000
        yield street


async def settled(world: World) -> bool:
    return bool((await world.supply(1)).get("settled"))


async def said_limits(world: World) -> list[tuple[str, int, bool, int | None]]:
    return [
        (body["state"], body["desired_revision"], body["verified"], body["limit_w"])
        for body in await world.said("supply_reported.v1")
    ]


async def test_a_limit_is_written_read_back_obeyed_and_lifted(world: World, street: Street) -> None:
    meter = of_profile(street, LIMITING)
    await world.open(1, meter)
    async with operating(operation(world)):
        limited = await world.desire(1, "on", limit_w=505)
        await until(lambda: settled(world))
        assert (meter.limit_w, meter.power_w) == (500, 500), "cut down to the register's 10 W"
        before = meter.register_wh, meter.at_ms
        meter.advance(street.now_ms() + 3_600_000)
        hours = (meter.at_ms - before[1]) / 3_600_000
        assert meter.register_wh - before[0] == pytest.approx(500 * hours, abs=1)
        lifted = await world.desire(1, "on")
        await until(lambda: settled(world))
        assert (meter.limit_w, meter.relay_on) == (None, True)
    said = await said_limits(world)
    assert said[0] == ("on", limited, True, 500)
    assert said[-1] == ("on", lifted, True, None)
    assert set(await world.events(1)) <= {"stuck_register"}, "put ahead of the clock, it stands"


async def test_a_cut_and_a_restoration_lift_the_limit(world: World, street: Street) -> None:
    meter = of_profile(street, LIMITING)
    await world.open(1, meter)
    async with operating(operation(world)):
        await world.desire(1, "on", limit_w=500)
        await until(lambda: settled(world))
        await world.desire(1, "off")
        await until(lambda: settled(world))
        assert not meter.relay_on
        restored = await world.desire(1, "on")
        await until(lambda: settled(world))
    assert (meter.relay_on, meter.limit_w) == (True, None)
    assert (await said_limits(world))[-1] == ("on", restored, True, None)


async def test_a_lost_acknowledgement_of_a_limit_is_found(world: World, street: Street) -> None:
    meter = of_profile(street, LIMITING)
    meter.faults = Faults(drop_ack=1)
    await world.open(1, meter)
    async with operating(operation(world)):
        await world.desire(1, "on", limit_w=500)
        await until(lambda: settled(world))
    assert meter.limit_w == 500
    assert "not acknowledged" in (await world.supply(1))["reported_detail"]


async def test_a_meter_that_cannot_limit_is_only_switched(world: World, street: Street) -> None:
    meter = of_profile(street, HIKING)
    meter.relay_on = False
    await world.open(1, meter)
    async with operating(operation(world)):
        revision = await world.desire(1, "on", limit_w=500)
        await until(lambda: settled(world))
    assert meter.relay_on
    assert set(await said_limits(world)) == {("on", revision, True, None)}


@pytest.mark.parametrize("profile", [LIMITING, HIKING])
async def test_d1_a_top_up_right_before_the_write_cancels_the_cut(
    world: World, street: Street, profile: str
) -> None:
    meter = of_profile(street, profile)
    meter.faults = Faults(stuck_relay=1)
    await world.open(1, meter)
    await world.desire(1, "off")
    bus = modbus_bus(Gateway(meter.host, meter.port))
    driver = ModbusDriver(bus, meter.unit_id, PROFILES[profile])
    unit = Interrupted(driver, PROFILES[profile], BreakerPolicy())
    unit.meanwhile = lambda: world.desire(1, "on")
    try:
        (supply,) = await world.do(list_due, Wanted("off", limit=1))
        outcome = await attempt(world.context(), supply, unit)
    finally:
        await bus.close()
    assert outcome == "superseded"
    assert meter.faults.stuck_relay == 1, "no command was sent"
    assert meter.relay_on
    assert await world.reported(1) == []


async def test_d2_a_stale_off_after_on_changes_nothing(world: World, street: Street) -> None:
    meter = of_profile(street, HIKING)
    await world.open(1, meter)
    restoring = SwitchingPolicy(first_pause_s=0.2, longest_pause_s=0.4, moved="restore")
    async with operating(operation(world, switching=restoring)):
        await world.desire(1, "off", 5)
        await until(lambda: settled(world))
        await world.desire(1, "on", 6)
        await until(lambda: settled(world))
        await world.desire(1, "off", 5)
        assert await settled(world)
        meter.relay_on = False

        async def brought_back() -> bool:
            return meter.relay_on and await settled(world)

        await until(brought_back)
    assert (await world.supply(1))["desired_revision"] == 6
    assert (await world.reported(1))[-1] == ("on", 6, True)
