"""Reading a meter now, over REST, whichever process holds its gateway."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import (
    World,
    client_of,
    operating,
    operation,
    service_of,
    serving,
)
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_meter_gateway.handlers.read_meter import LineDown, read_meter
from npms_shared.actor import Actor
from npms_tools.street.meter import Faults
from npms_tools.street.street import Plan, Street, build_street

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
NEVER_S = 3600.0
"""Between two polls: what is read here was asked for."""


@pytest.fixture
async def street(world: World) -> AsyncIterator[Street]:
    async with serving(
        build_street(Plan(meters=6, gateways=3, port_base=0), world.clock)
    ) as street:
        for number, meter in enumerate(street.meters.values(), 1):
            meter.load_w = 3000
            await world.open(number, meter)
        yield street


@pytest.fixture
async def http(world: World, issuer: TestIssuer, amqp_url: str) -> AsyncIterator[httpx.AsyncClient]:
    headers = issuer.headers("operator")
    async with (
        service_of(world, issuer, amqp_url=amqp_url, poll=False) as service,
        client_of(service, headers, hides_failures=True) as http,
    ):
        yield http


async def ask(http: httpx.AsyncClient, installation_id: int) -> tuple[int, dict[str, object]]:
    answer = await http.post(f"/v1/meters/{installation_id}/read", timeout=30)
    return answer.status_code, answer.json()


async def test_a_meter_is_read_now_by_whoever_holds_its_gateway(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    lazy = operation(world, interval_s=NEVER_S), operation(world, interval_s=NEVER_S)
    async with operating(lazy[0]), operating(lazy[1]):
        await until(lambda: _held_by(world, 2))
        await until(lambda: _all_read(world, 1))
        for number, meter in enumerate(street.meters.values(), 1):
            status, read = await ask(http, number)
            assert (status, read["reading"]) == (200, "accepted"), read
            shown = (await world.registers(number))[-1]
            assert read["register_wh"] == shown <= meter.register_wh
            values = read["values"]
            assert isinstance(values, dict)
            assert values["power_w"] == "3000"
            assert float(values["energy_import_wh"]) == pytest.approx(shown, abs=64)
    assert await _all_read(world, 2)


async def test_a_meter_that_is_silent_and_a_line_that_is_down(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    silent, beside, *_ = street.meters.values()
    async with operating(operation(world, interval_s=NEVER_S)):
        await until(lambda: _all_read(world, 1))
        silent.faults = Faults(silent=-1)
        status, problem = await ask(http, 1)
        assert (status, problem["code"]) == (504, "meter_silent")
        silent.faults = Faults()
        assert (await ask(http, 1))[0] == 200
        await street.take_gateway_down(beside.host, beside.port)
        status, problem = await ask(http, 2)
        assert status in {503, 504}  # the connection of before is found cut, the next refused
        status, problem = await ask(http, 2)
        assert (status, problem["code"]) == (503, "line_down")


async def test_what_nobody_polls_is_not_read(
    world: World, street: Street, http: httpx.AsyncClient
) -> None:
    with pytest.raises(LineDown):
        await read_meter(world.context(), 1, by=Actor("amina"), within_s=0.3)
    await world.open(77)
    await world.close(1)
    for number, wanted in ((77, "meter_not_polled"), (1, "meter_not_polled"), (99, "not_found")):
        assert (await ask(http, number))[1]["code"] == wanted


async def _held_by(world: World, workers: int) -> bool:
    rows = await world.rows("SELECT DISTINCT holder FROM gateway")
    return len(rows) == workers and None not in {row["holder"] for row in rows}


async def _all_read(world: World, times: int) -> bool:
    rows = await world.rows("SELECT count(*) AS n FROM reading GROUP BY installation_id")
    return len(rows) == 6 and all(row["n"] >= times for row in rows)
