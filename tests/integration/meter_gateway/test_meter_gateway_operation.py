"""Polling and switching against simulated meters on real sockets."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    of_profile,
    operating,
    operation,
    serving,
)
from tests.support.wait import until

from npms_tools.street.meter import Faults
from npms_tools.street.street import Plan, Street, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
HIKING, COIL, NONE = "hiking_dds238_2_znsr", "eastron_sdm320c", "eastron_sdm120"


@pytest.fixture
async def street(world: World) -> AsyncIterator[Street]:
    """Six meters behind two addresses, each drawing 3 kW."""
    plan = Plan(meters=6, gateways=2, port_base=0)
    async with serving(build_street(plan, world.clock)) as street:
        for meter in street.meters.values():
            meter.load_w = 3000
        yield street


async def open_all(world: World, street: Street) -> dict[str, int]:
    numbers = {}
    for number, meter in enumerate(street.meters.values(), 1):
        await world.open(number, meter)
        numbers[meter.serial] = number
    return numbers


async def test_every_meter_is_read_and_its_registers_are_exact(
    world: World, street: Street
) -> None:
    numbers = await open_all(world, street)
    async with operating(operation(world)):

        async def enough() -> bool:
            return all([len(await world.registers(n)) >= 4 for n in numbers.values()])

        await until(enough)
    for serial, number in numbers.items():
        registers = await world.registers(number)
        assert all(before <= after for before, after in pairwise(registers))
        assert registers[-1] > registers[0]
        assert registers[-1] <= street.meters[serial].register_wh
    states = await world.rows("SELECT * FROM meter_state")
    assert {row["link"] for row in states} == {"reachable"}
    assert all(row["power_w"] == 3000 for row in states)
    assert all(abs(row["voltage_mv"] - 230_000) < 5_000 for row in states)
    assert {row["relay"] for row in states} == {"on", None}
    assert await world.rows("SELECT * FROM meter_event") == []
    assert await world.rows("SELECT * FROM held_reading") == []


@pytest.mark.parametrize("profile", [HIKING, COIL])
async def test_supply_goes_off_and_on_verified(world: World, street: Street, profile: str) -> None:
    meter = of_profile(street, profile)
    await world.open(1, meter)
    async with operating(operation(world)):
        off = await world.desire(1, "off")
        await until(lambda: _settled(world, 1))
        assert not meter.relay_on
        on = await world.desire(1, "on")
        await until(lambda: _settled(world, 1))
        assert meter.relay_on
    assert await world.reported(1) == [("off", off, True), ("on", on, True)]


async def test_l11_a_keyed_meter_is_switched_by_its_shipped_profile(world: World) -> None:
    plan = Plan(meters=1, gateways=1, port_base=0, profiles=("fineco_em115_do",))
    async with serving(build_street(plan, world.clock)) as street:
        (meter,) = street.meters.values()
        meter.load_w = 3000
        await world.open(1, meter)
        async with operating(operation(world)):
            off = await world.desire(1, "off")
            await until(lambda: _settled(world, 1))
            assert not meter.relay_on
            on = await world.desire(1, "on")
            await until(lambda: _settled(world, 1))
            assert meter.relay_on
    assert await world.reported(1) == [("off", off, True), ("on", on, True)]


async def test_a_lost_acknowledgement_is_found_by_reading_back(
    world: World, street: Street
) -> None:
    meter = of_profile(street, HIKING)
    meter.faults = Faults(drop_ack=1)
    await world.open(1, meter)
    async with operating(operation(world)):
        revision = await world.desire(1, "off")
        await until(lambda: _settled(world, 1))
    assert not meter.relay_on
    assert await world.reported(1) == [("off", revision, True)]
    assert "not acknowledged" in (await world.supply(1))["reported_detail"]


async def test_a_stuck_relay_is_tried_again_and_told_once(world: World, street: Street) -> None:
    meter = of_profile(street, COIL)
    meter.faults = Faults(stuck_relay=4)
    await world.open(1, meter)
    async with operating(operation(world)):
        revision = await world.desire(1, "off")
        await until(lambda: _settled(world, 1), within_s=40)
    assert await world.events(1) == ["relay_stuck"]
    assert await world.reported(1) == [("on", revision, True), ("off", revision, True)]


async def test_a_welded_contact_is_not_believed(world: World, street: Street) -> None:
    meter = of_profile(street, HIKING)
    meter.faults = Faults(welded=-1)
    await world.open(1, meter)
    async with operating(operation(world)):
        revision = await world.desire(1, "off")

        async def alarmed() -> bool:
            return await world.events(1) == ["relay_welded"]

        await until(alarmed, within_s=40)
        assert await world.reported(1) == [("off", revision, False)]
        meter.faults = Faults()
        await until(lambda: _settled(world, 1))
    assert await world.reported(1) == [("off", revision, False), ("off", revision, True)]


async def test_nothing_is_sent_where_nothing_is_to_do(world: World, street: Street) -> None:
    """A relay that already is as desired is only read: also right after a start."""
    meter = of_profile(street, HIKING)
    meter.relay_on = False
    meter.faults = Faults(stuck_relay=-1)
    await world.open(1, meter)
    await world.desire(1, "off")
    async with operating(operation(world)):
        await until(lambda: _settled(world, 1))
    assert meter.faults.stuck_relay == -1
    assert await world.events(1) == []


async def test_a_newer_revision_supersedes_one_that_cannot_be_reached(
    world: World, street: Street
) -> None:
    meter = of_profile(street, HIKING)
    meter.faults = Faults(silent=-1)
    await world.open(1, meter)
    await world.desire(1, "off")
    async with operating(operation(world)):
        await until(lambda: _has_event(world, 1, "unreachable"))
        newest = await world.desire(1, "on")
        meter.faults = Faults()
        await until(lambda: _settled(world, 1))
    assert meter.relay_on
    told = await world.reported(1)
    assert told[-1] == ("on", newest, True)
    assert {(state, verified) for state, _, verified in told[:-1]} <= {("unknown", False)}


async def test_a_relay_moved_by_hand_is_left_as_found_until_the_next_decision(
    world: World, street: Street
) -> None:
    meter = of_profile(street, HIKING)
    await world.open(1, meter)
    async with operating(operation(world)):
        await world.desire(1, "off")
        await until(lambda: _settled(world, 1))
        meter.relay_on = True
        await until(lambda: _has_event(world, 1, "relay_moved"))
        assert meter.relay_on, "an electrician may stand at it"
        await world.desire(1, "off")
        await until(lambda: _settled(world, 1))
    assert not meter.relay_on


async def test_a_meter_without_a_relay_is_reported_unknown(world: World, street: Street) -> None:
    await world.open(1, of_profile(street, NONE))
    async with operating(operation(world)):
        first = await world.desire(1, "off")
        await until(lambda: _settled(world, 1))
        second = await world.desire(1, "off")
        await until(lambda: _settled(world, 1))
    assert await world.reported(1) == [("unknown", first, False), ("unknown", second, False)]
    assert await world.events(1) == ["no_relay"]


async def test_silence_is_told_once_and_its_end_once(world: World, street: Street) -> None:
    numbers = await open_all(world, street)
    silent = next(iter(street.meters.values()))
    number = numbers[silent.serial]
    async with operating(operation(world)):
        await until(lambda: world.has_registers(number, 1))
        silent.faults = Faults(silent=-1)
        await until(lambda: _has_event(world, number, "unreachable"))
        others = [n for n in numbers.values() if n != number]
        before = {n: len(await world.registers(n)) for n in others}

        async def others_go_on() -> bool:
            return all([len(await world.registers(n)) >= before[n] + 3 for n in others])

        await until(others_go_on)
        silent.faults = Faults()
        await until(lambda: _has_event(world, number, "back"))
    assert await world.events(number) == ["unreachable", "back"]
    assert [body["kind"] for body in await world.said("meter_event_raised.v1")] == [
        "unreachable", "back",
    ]  # fmt: skip


async def test_a_gateway_that_goes_down_is_told_once_and_comes_back(
    world: World, street: Street
) -> None:
    numbers = await open_all(world, street)
    meter = next(iter(street.meters.values()))
    behind = [n for s, n in numbers.items() if street.meters[s].port == meter.port]
    async with operating(operation(world)):
        await until(lambda: _links(world, behind, "reachable"))
        await street.take_gateway_down(meter.host, meter.port)
        await until(lambda: _links(world, behind, "unreachable"))
        await street.bring_gateway_up(meter.host, meter.port)
        await until(lambda: _links(world, behind, "reachable"), within_s=60)
    told = {number: await world.events(number) for number in numbers.values()}
    assert {number: kinds for number, kinds in told.items() if kinds} == {
        behind[0]: ["gateway_unreachable"]
    }
    alarms = await world.rows("SELECT kind, cleared_at IS NULL AS is_open FROM alarm")
    assert alarms == [{"kind": "gateway_unreachable", "is_open": False}]


async def test_meters_come_and_go_while_it_runs(world: World, street: Street) -> None:
    first, second = list(street.meters.values())[:2]
    async with operating(operation(world)):
        await world.open(1, first)
        await until(lambda: world.has_registers(1, 2))
        await world.open(2, second)
        await until(lambda: world.has_registers(2, 2))
        await world.close(1)
        await world.open(3, first)
        await until(lambda: world.has_registers(3, 2))


async def test_the_second_process_stands_by_and_takes_over(world: World, street: Street) -> None:
    await world.open(1, next(iter(street.meters.values())))
    stopping, others_stopping = asyncio.Event(), asyncio.Event()
    leader = asyncio.create_task(operation(world).run(stopping))
    await until(lambda: world.has_registers(1, 2))
    follower = asyncio.create_task(operation(world).run(others_stopping))
    stopping.set()
    await leader
    count = len(await world.registers(1))
    await until(lambda: world.has_registers(1, count + 2))
    others_stopping.set()
    await follower


async def test_values_of_another_answer_never_enter(world: World, street: Street) -> None:
    meter = of_profile(street, HIKING)
    await world.open(1, meter)
    async with operating(operation(world)):
        await until(lambda: world.has_registers(1, 1))
        for kind in ("wrong_unit", "wrong_transaction", "short", "close", "late"):
            faults = Faults(late_ms=10)
            setattr(faults, kind, 3)
            meter.faults = faults
            count = len(await world.registers(1))
            await until(lambda n=count: world.has_registers(1, n + 2))
    assert await world.rows("SELECT * FROM held_reading") == []


async def _settled(world: World, installation_id: int) -> bool:
    return bool((await world.supply(installation_id)).get("settled"))


async def _has_event(world: World, installation_id: int, kind: str) -> bool:
    return kind in await world.events(installation_id)


async def _links(world: World, installation_ids: list[int], link: str) -> bool:
    rows = await world.rows("SELECT installation_id AS i, link FROM meter_state")
    links = {row["i"]: row["link"] for row in rows}
    return all(links.get(i) == link for i in installation_ids)
