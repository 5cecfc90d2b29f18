"""What is heard in the wrong order ends as if it had been heard in the right one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import permutations

import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    operating,
    operation,
    serving,
)
from tests.support.wait import until

from npms_tools.street.street import Plan, Street, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def street(world: World) -> AsyncIterator[Street]:
    plan = Plan(meters=1, gateways=1, port_base=0, profiles=("hiking_dds238_2_znsr",))
    async with serving(build_street(plan, world.clock)) as street:
        yield street


async def installed(world: World) -> list[tuple[int, bool]]:
    rows = await world.rows(
        "SELECT installation_id, closed_at IS NULL AS open FROM installation ORDER BY 1"
    )
    return [(row["installation_id"], row["open"]) for row in rows]


async def test_a_swap_heard_in_the_wrong_order_is_read_and_cut_without_a_replay(
    world: World, street: Street
) -> None:
    (meter,) = street.meters.values()
    await world.open(1, meter)
    await world.open(2, meter)
    await world.desire(2, "off")
    assert await installed(world) == [(1, True)]
    assert await world.open_alarms() == ["meter_in_use"], "it may be an address given twice"
    await world.close(1, meter.register_wh)
    assert await installed(world) == [(1, False), (2, True)]
    assert await world.open_alarms() == []

    async def read_and_cut() -> bool:
        supply = await world.supply(2)
        return bool(await world.registers(2)) and supply["settled"] and not meter.relay_on

    async with operating(operation(world)):
        await until(read_and_cut)
    assert await world.rows("SELECT 1 FROM early_event") == []


async def test_a_closing_heard_before_its_opening_is_not_lost(world: World) -> None:
    await world.close(1, 1_000_000)
    assert await installed(world) == []
    await world.open(1)
    assert await installed(world) == [(1, False)]
    assert await world.rows("SELECT 1 FROM early_event") == []


async def test_two_swaps_of_one_meter_end_alike_in_every_order(
    world: World, street: Street
) -> None:
    (meter,) = street.meters.values()
    steps = [("open", 1), ("close", 1), ("open", 2), ("close", 2)]
    for number, order in enumerate(permutations(steps)):
        for what, place in order:
            installation_id = 10 * number + place
            if what == "open":
                await world.open(installation_id, meter)
            else:
                await world.close(installation_id, meter.register_wh)
        ids = (10 * number + 1, 10 * number + 2)
        assert (await installed(world))[-2:] == [(one, False) for one in ids], order
        assert await world.open_alarms() == []
    assert await world.rows("SELECT 1 FROM early_event") == []


async def test_an_opening_and_the_closing_before_it_may_be_heard_at_the_same_time(
    world: World, street: Street
) -> None:
    (meter,) = street.meters.values()
    await world.open(100, meter)
    for number in range(100, 110):
        await asyncio.gather(world.close(number, meter.register_wh), world.open(number + 1, meter))
        assert (await installed(world))[-1] == (number + 1, True)
    assert await world.rows("SELECT 1 FROM early_event") == []
