"""Alarms are raised once and cleared once, told both times, and listed while they are open."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

import httpx
from prometheus_client import REGISTRY
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    operating,
    operation,
    serving,
)
from tests.support.wait import until

from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm, report_link
from npms_meter_gateway.loops import every, measure_fleet
from npms_shared.loops import Loop
from npms_tools.street.meter import Faults
from npms_tools.street.street import Plan, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


async def raised(world: World, number: int, kind: str, detail: str = "seen") -> bool:
    return await world.do(
        raise_alarm,
        installation_id=number,
        account_id=number * 10,
        kind=kind,
        detail=detail,
    )


async def cleared(world: World, number: int, kind: str, detail: str = "over") -> bool:
    return await world.do(clear_alarm, installation_id=number, kind=kind, detail=detail)


async def listed(http: httpx.AsyncClient, query: str = "") -> list[tuple[int, str]]:
    items = (await http.get(f"/v1/alarms?{query}")).json()["items"]
    return [(item["installation_id"], item["kind"]) for item in items]


async def test_an_alarm_is_told_once_while_it_is_open_and_once_when_it_is_over(
    world: World,
) -> None:
    await world.open(1)
    assert [await raised(world, 1, "phase_loss") for _ in range(3)] == [True, False, False]
    assert [await cleared(world, 1, "phase_loss") for _ in range(2)] == [True, False]
    assert await raised(world, 1, "phase_loss"), "it can come again"
    assert await world.events(1) == ["phase_loss", "phase_loss"]
    told = await world.said("meter_event_raised.v1")
    assert [(body["kind"], body["severity"]) for body in told] == [("phase_loss", "warning")] * 2
    (over,) = await world.said("meter_event_cleared.v1")
    assert (over["kind"], over["detail"]) == ("phase_loss", "over")
    assert over["raised_at"] == told[0]["raised_at"]


async def test_open_alarms_are_listed_by_kind_meter_and_gateway(
    world: World, http: httpx.AsyncClient
) -> None:
    async with serving(build_street(Plan(meters=2, gateways=2, port_base=0), world.clock)) as s:
        for number, meter in enumerate(s.meters.values(), start=1):
            await world.open(number, meter)
        await raised(world, 1, "phase_loss")
        await raised(world, 2, "phase_loss")
        await raised(world, 2, "tamper")
        await raised(world, 2, "clock_wrong")
        await cleared(world, 2, "clock_wrong")
        assert await listed(http) == [(2, "tamper"), (2, "phase_loss"), (1, "phase_loss")]
        assert await listed(http, "kind=phase_loss") == [(2, "phase_loss"), (1, "phase_loss")]
        assert await listed(http, "installation_id=1") == [(1, "phase_loss")]
        assert await listed(http, "gateway_id=2") == [(2, "tamper"), (2, "phase_loss")]
    page = (await http.get("/v1/alarms?limit=2")).json()
    rest = (await http.get(f"/v1/alarms?limit=2&cursor={page['next_cursor']}")).json()
    assert [item["installation_id"] for item in rest["items"]] == [1]
    history = (await http.get("/v1/meters/2/events")).json()["items"]
    assert [(e["kind"], e["severity"], e["cleared_at"] is None) for e in history] == [
        ("clock_wrong", "warning", False), ("tamper", "critical", True),
        ("phase_loss", "warning", True),
    ]  # fmt: skip
    assert history[0]["cleared_detail"] == "over"
    assert (await http.get("/v1/meters/99/events")).status_code == 404


async def test_alarms_of_a_meter_that_serves_no_more_are_over(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.open(1)
    await raised(world, 1, "phase_loss")
    await raised(world, 1, "serial_changed")
    await world.close(1)
    assert await listed(http) == []
    assert len(await world.said("meter_event_cleared.v1")) == 2


async def test_open_alarms_are_counted_by_kind(world: World) -> None:
    await world.open(1)
    await world.open(2)
    for number in (1, 2):
        await raised(world, number, "phase_loss")
    async with _running(every(0.01, partial(measure_fleet, world.context()))):
        await until(lambda: _gauge("phase_loss", 2))
        await cleared(world, 1, "phase_loss")
        await cleared(world, 2, "phase_loss")
        await until(lambda: _gauge("phase_loss", 0))


async def test_a_silent_meter_is_an_alarm_until_it_answers(
    world: World, http: httpx.AsyncClient
) -> None:
    async with serving(build_street(Plan(meters=1, gateways=1, port_base=0), world.clock)) as s:
        (meter,) = s.meters.values()
        await world.open(1, meter)
        meter.faults = Faults(silent=-1)
        async with operating(operation(world)):
            await until(lambda: listed(http, "kind=unreachable"))
            meter.faults = Faults()

            async def over() -> bool:
                return not await listed(http)

            await until(over)
    assert await world.events(1) == ["unreachable", "back"]
    (told,) = await world.said("meter_event_cleared.v1")
    assert told["kind"] == "unreachable"


async def test_reach_is_noted_for_a_meter_never_heard(world: World) -> None:
    await world.open(1)
    for is_reachable in (False, False, True, True):
        await world.do(
            report_link,
            installation_id=1,
            account_id=10,
            is_reachable=is_reachable,
            detail="test",
        )
    assert await world.events(1) == ["unreachable", "back"]


async def _gauge(kind: str, count: int) -> bool:
    return REGISTRY.get_sample_value("npms_gateway_open_alarms", {"kind": kind}) == count


@asynccontextmanager
async def _running(loop: Loop) -> AsyncIterator[None]:
    stopping = asyncio.Event()
    task = asyncio.create_task(loop(stopping))
    try:
        yield
    finally:
        stopping.set()
        await task
