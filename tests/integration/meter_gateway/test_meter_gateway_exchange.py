"""R3 and R9: another meter answers, or its transformers are told to be others than recorded."""

from collections.abc import AsyncIterator, Awaitable, Callable
from fractions import Fraction
from typing import Any

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    operating,
    operation,
    scaled_clock,
    serving,
)
from tests.support.keeping_meter import KeepingMeter
from tests.support.wait import until

from npms_meter_gateway.handlers.change_ratio import Ratio, change_ratio
from npms_shared.actor import Actor
from npms_tools.street.meter import WMS_PER_WH
from npms_tools.street.street import Plan, Street, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
KNOWN, OTHER = 7919, 41_185_206


@pytest.fixture
async def world(database_for: MakeDatabase) -> World:
    clock = scaled_clock(60.0)
    return World(await database_for("meter-gateway"), clock)


@pytest.fixture
async def street(world: World) -> AsyncIterator[Street]:
    plan = Plan(meters=1, gateways=1, port_base=0, profiles=("eastron_sdm120",))
    async with serving(build_street(plan, world.clock)) as street:
        (meter,) = street.meters.values()
        meter.load_w = 5_000
        assert meter.seed == KNOWN
        await world.open(1, meter)
        yield street


async def held(world: World) -> list[str]:
    """But for polls that a busy machine has within one second of the hurried clock."""
    rows = await world.rows(
        "SELECT DISTINCT reason FROM held_reading WHERE state = 'held' AND reason <> 'conflict'"
    )
    return sorted(row["reason"] for row in rows)


async def count(world: World) -> int:
    return len(await world.registers(1))


async def read_some(world: World, more: int = 2) -> None:
    known = await count(world)

    async def ask_driver() -> bool:
        return await count(world) >= known + more

    await until(ask_driver)


def exchange(street: Street, *, serial: int = OTHER, register_wh: int | None = None) -> None:
    """By one that stands a little higher, unless told where."""
    (meter,) = street.meters.values()
    meter.seed = serial
    meter.counted_wms = (
        meter.register_wh + 50 if register_wh is None else register_wh
    ) * WMS_PER_WH


def working(world: World, *, slow_s: float = 0.05) -> Any:
    return operating(operation(world, interval_s=0.05, slow_s=slow_s))


async def test_r3_another_meter_without_a_work_order_is_an_alarm_and_nothing_is_charged(
    world: World, street: Street
) -> None:
    async with working(world):
        await read_some(world)
    charged = await count(world)
    exchange(street)
    async with working(world, slow_s=0):
        await until(lambda: world.open_alarms())
        await until(lambda: held(world))
    assert await world.open_alarms() == ["serial_changed"]
    assert await held(world) == ["foreign_meter"], "from the first answer on"
    assert await count(world) == charged, "not one reading of it is told"
    assert await world.events(1) == ["serial_changed"]
    (alarm,) = await world.rows("SELECT detail FROM alarm")
    assert alarm["detail"] == f"{OTHER} answers, {KNOWN} is known"


async def test_r3_an_exchange_between_two_polls_is_found_by_the_slow_round(
    world: World, street: Street
) -> None:
    async with working(world):
        await read_some(world)
        exchange(street)
        await until(lambda: world.open_alarms())
        await until(lambda: held(world))
    assert await world.open_alarms() == ["serial_changed"]


async def test_r3_the_known_meter_is_believed_again_when_it_is_back(
    world: World, street: Street
) -> None:
    async with working(world):
        await read_some(world)
        exchange(street)
        await until(lambda: world.open_alarms())
        exchange(street, serial=KNOWN)

        async def over() -> bool:
            return await world.open_alarms() == []

        await until(over)
        await read_some(world)
    (told,) = await world.said("meter_event_cleared.v1")
    assert told["detail"] == "the meter known before answers again"


async def test_r3_an_operator_accepts_the_meter_that_answers(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    async with working(world):
        await read_some(world)
        exchange(street)
        await until(lambda: world.open_alarms())
        place, why = "/v1/meters/1/accept-serial", "Exchanged under work order 4711."
        for serial, code in ((str(KNOWN), "serial_known"), ("12", "serial_not_seen")):
            body = {"serial_number": serial, "reason": why}
            refused = await http.post(place, json=body)
            assert (refused.status_code, refused.json()["code"]) == (409, code)
        body = {"serial_number": str(OTHER), "reason": why}
        assert (await http.post("/v1/meters/9/accept-serial", json=body)).status_code == 404
        accepted = await http.post(place, json=body)
        assert accepted.json() == {"installation_id": 1, "serial_number": str(OTHER)}
        await read_some(world)
        assert await world.open_alarms() == []
    (entry,) = await world.rows("SELECT * FROM audit_trail")
    assert [entry[side]["serial_number"] for side in ("before", "after")] == [
        str(KNOWN),
        str(OTHER),
    ]
    assert (entry["by_subject"], entry["reason"]) == ("amina", why)
    async with working(world):
        await read_some(world)
    assert await world.open_alarms() == [], "also after a restart"


async def test_r3_who_releases_a_reading_of_the_other_meter_accepts_it(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    """Its register is lower: consumption goes on from the last good one."""
    async with working(world):
        await read_some(world)
    last_wh = (await world.registers(1))[-1]
    exchange(street, register_wh=7)
    async with working(world):
        await until(lambda: held(world))
    items = (await http.get("/v1/held-readings?state=held&reason=foreign_meter")).json()["items"]
    first = min(items, key=lambda item: item["taken_at"])
    answer = await http.post(
        f"/v1/held-readings/{first['held_id']}/release", json={"reason": "Exchanged."}
    )
    assert answer.status_code == 200, answer.text
    async with working(world):
        await read_some(world)
    registers = await world.registers(1)
    assert registers == sorted(registers)
    assert registers[-1] < last_wh + 2_000, "what the new one counted, and no more"
    assert await world.open_alarms() == []


async def test_r9_a_ratio_in_the_meter_that_is_not_the_recorded_one_is_an_alarm(
    world: World,
) -> None:
    async with KeepingMeter(world.clock).served() as meter:
        await world.open(1, meter=meter.connection(), opening_register_wh=meter.register_wh)
        async with working(world):
            await read_some(world, 1)
            meter.ct = 40
            await until(lambda: world.open_alarms())
            assert await world.open_alarms() == ["ratio_changed"]
            (alarm,) = await world.rows("SELECT detail FROM alarm")
            assert alarm["detail"] == "40 in the meter, 1 recorded"
        at_s = int(world.clock.now().timestamp())
        await world.do(
            change_ratio,
            1,
            Ratio(at_s, Fraction(40), meter.register_wh),
            by=Actor("amina"),
            reason="Transformers 200/5.",
        )
        async with working(world):

            async def over() -> bool:
                return await world.open_alarms() == []

            await until(over)
    assert await world.events(1) == ["ratio_changed"]
