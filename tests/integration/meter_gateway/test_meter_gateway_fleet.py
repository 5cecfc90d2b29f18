"""The fleet as operators see it: counts, gateways and their lines, a meter as a stream."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from functools import partial
from typing import Any

import httpx
import pytest
import uvicorn
from prometheus_client import REGISTRY
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    operating,
    operation,
    service_of,
    serving,
)
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.drivers.modbus.pdus import Read
from npms_meter_gateway.handlers import watch_meters
from npms_meter_gateway.loops import every, measure_fleet
from npms_meter_gateway.polling.quality import keep_quality
from npms_tools.street.meter import Faults
from npms_tools.street.street import Plan, Street, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def street(world: World) -> AsyncIterator[Street]:
    async with serving(
        build_street(Plan(meters=4, gateways=2, port_base=0), world.clock)
    ) as street:
        yield street


@pytest.fixture
async def http(world: World, issuer: TestIssuer, amqp_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The service's REST interface on a real socket: a stream must be seen as it comes."""
    async with (
        service_of(world, issuer, amqp_url=amqp_url) as service,
        serving_http(service.app) as base_url,
        httpx.AsyncClient(base_url=base_url, headers=issuer.headers("operator")) as http,
    ):
        yield http


@asynccontextmanager
async def serving_http(app: Any) -> AsyncIterator[str]:
    config = uvicorn.Config(
        app, port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1
    )
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())

    async def started() -> bool:
        return server.started

    await until(started)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await task


async def open_street(world: World, street: Street) -> None:
    for number, meter in enumerate(street.meters.values(), 1):
        await world.open(number, meter)


async def test_the_fleet_counts_meters_by_how_they_are(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    await open_street(world, street)
    await world.open(9, opened_at=world.clock.now() - timedelta(days=3))
    silent = next(iter(street.meters.values()))
    silent.faults = Faults(silent=-1)
    async with operating(operation(world)):

        async def seen() -> Any:
            total = (await http.get("/v1/fleet")).json()["total"]
            return (total["reachable"], total["unreachable"]) == (3, 1) and total

        total = await until(seen)
        assert await _listed(http, "link=unreachable") == [1]
        assert await _listed(http, "late=true") == [9]
        assert await _listed(http, "gateway_id=2") == [2, 4]
        assert await _listed(http, f"serial={silent.serial}") == [1]
        await _gauges_show(world, reachable=3, unreachable=1, late=1)
    assert total["meters"] == 5
    assert total["late"] == 1, "the one whose readings are sent to us, and were not"
    assert total["switched_off"] == total["off_against_desired"] == total["held_readings"] == 0


async def test_supplies_against_what_is_desired_are_counted(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    await open_street(world, street)
    meter = next(m for m in street.meters.values() if m.map.relay)
    number = list(street.meters.values()).index(meter) + 1
    meter.faults = Faults(stuck_relay=-1)
    await world.desire(number, "off")
    async with operating(operation(world)):

        async def counted() -> Any:
            gateways = (await http.get("/v1/gateways")).json()["items"]
            return [g for g in gateways if g["counts"]["on_against_desired"] == 1]

        (gateway,) = await until(counted)
        assert await _listed(http, "against_desired=true") == [number]
    assert (gateway["host"], gateway["port"]) == (meter.host, meter.port)
    assert gateway["counts"]["meters"] == 2


async def test_a_gateway_set_otherwise_is_reached_anew(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    await open_street(world, street)
    async with operating(operation(world)):
        await until(lambda: world.has_registers(1, 1))
        (first, second) = (await http.get("/v1/gateways")).json()["items"]
        body = {"site": "Kiberyo Court", "pause_ms": 1}
        changed = await http.patch(f"/v1/gateways/{first['gateway_id']}", json=body)
        assert changed.status_code == 200
        assert changed.json() | {"counts": None} == first | body | {"counts": None}
        known = len(await world.registers(1))
        await until(lambda: world.has_registers(1, known + 3))
    sites = (await http.get("/v1/fleet")).json()["sites"]
    assert [(s["site"], s["gateways"], s["counts"]["meters"]) for s in sites] == [
        ("", 1, 2), ("Kiberyo Court", 1, 2),
    ]  # fmt: skip
    assert second == (await http.get(f"/v1/gateways/{second['gateway_id']}")).json() | {
        "counts": second["counts"]
    }


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"transport": "serial"}, "device_missing"),
        ({"transport": "carrier_pigeon"}, "invalid_request"),
        ({"depth": 0}, "invalid_request"),
        ({"colour": "green"}, "invalid_request"),
    ],
)
async def test_a_gateway_is_not_set_to_what_cannot_be(
    world: World, street: Street, http: httpx.AsyncClient, body: dict[str, Any], code: str
) -> None:
    await open_street(world, street)
    answer = await http.patch("/v1/gateways/1", json=body)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert (await http.patch("/v1/gateways/99", json={"site": "x"})).status_code == 404


async def test_the_quality_of_a_line_is_kept_by_the_hour(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    await open_street(world, street)
    meter = next(iter(street.meters.values()))
    bus = modbus_bus(Gateway(meter.host, meter.port, gateway_id=1))
    meter.faults = Faults(silent=1, wrong_unit=1)
    for _ in range(3):
        try:
            await bus.ask(1, Read("holding", 0, 2), timeout_s=0.05, priority=Priority.BILLING)
        except LinkFault:
            continue
    keeping = asyncio.create_task(keep_quality(world.context(), lambda: [bus], every_s=0.01))

    async def kept() -> Any:
        return (await http.get("/v1/gateways/1/quality")).json()["items"]

    (hour,) = await until(kept)
    keeping.cancel()
    await bus.close()
    assert (hour["asked"], hour["answered"], hour["timeouts"]) == (3, 1, 1)
    assert hour["exceptions"] + hour["bad_answers"] == 1
    assert hour["busy_ms"] >= 50
    assert hour["bus_share"] == pytest.approx(hour["busy_ms"] / 3_600_000, abs=1e-6)
    assert (await http.get("/v1/gateways/99/quality")).status_code == 404


async def test_a_meter_is_watched_as_a_stream(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    await open_street(world, street)
    meter = next(iter(street.meters.values()))
    meter.load_w = 1111
    async with operating(operation(world)), http.stream("GET", "/v1/meters/1/live") as stream:
        assert stream.headers["content-type"].startswith("text/event-stream")
        events = _events(stream)
        while (await anext(events))["power_w"] != 1111:
            pass
        meter.load_w = 2222
        while (await anext(events))["power_w"] != 2222:
            pass
        shown = await anext(events)
        await events.aclose()
    assert shown["installation_id"] == 1
    assert shown["link"]["state"] == "reachable"
    assert shown["last_reading"]["register"]["unit"] == "kWh"


async def test_only_so_many_watch_and_only_what_there_is(
    world: World, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.open(1)
    assert (await http.get("/v1/meters/77/live")).status_code == 404
    monkeypatch.setattr(watch_meters, "MOST_WATCHERS", 1)
    async with http.stream("GET", "/v1/meters/1/live") as stream:
        assert stream.status_code == 200
        answer = await http.get("/v1/meters/1/live")
        assert (answer.status_code, answer.json()["code"]) == (503, "too_many_watchers")


async def _listed(http: httpx.AsyncClient, query: str) -> list[int]:
    answer = await http.get(f"/v1/meters?{query}")
    return [meter["installation_id"] for meter in answer.json()["items"]]


async def _gauges_show(world: World, **counts: int) -> None:
    stopping = asyncio.Event()
    gauges = every(0.01, partial(measure_fleet, world.context()))
    setting = asyncio.create_task(gauges(stopping))

    async def shown() -> bool:
        return all(
            REGISTRY.get_sample_value("npms_gateway_meters", {"state": state}) == count
            for state, count in counts.items()
        )

    await until(shown)
    stopping.set()
    await setting


async def _events(stream: httpx.Response) -> AsyncIterator[dict[str, Any]]:
    async for line in stream.aiter_lines():
        if line.startswith("data: "):
            yield json.loads(line.removeprefix("data: "))
