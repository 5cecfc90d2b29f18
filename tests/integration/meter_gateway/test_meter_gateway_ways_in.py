"""Readings that are sent to us, one by one, by the thousand or as a file."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, client_of, service_of
from tests.support.tokens import TestIssuer
from typer.testing import CliRunner

from npms_meter_gateway.cli import app
from npms_shared.clock import SystemClock

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
KEPT = (
    "SELECT * FROM reading ORDER BY 1, 2",
    "SELECT * FROM held_reading",
    "SELECT id FROM outbox",
    "SELECT * FROM reading_cursor WHERE version > 0",
)


@pytest.fixture
async def world(database_for: MakeDatabase) -> World:
    world = World(await database_for("meter-gateway"), SystemClock())
    for number in (1, 2, 3):
        await world.open(number, opened_at=world.clock.now() - timedelta(hours=2))
    return world


@pytest.fixture
async def http(world: World, issuer: TestIssuer) -> AsyncIterator[httpx.AsyncClient]:
    headers = issuer.headers("service")
    async with service_of(world, issuer) as service, client_of(service, headers) as client:
        yield client


def moment(world: World, minutes_ago: float) -> str:
    return (world.clock.now() - timedelta(minutes=minutes_ago)).isoformat()


async def push(http: httpx.AsyncClient, *readings: dict[str, Any]) -> list[dict[str, Any]]:
    answer = await http.post("/v1/readings", json={"readings": list(readings)})
    assert answer.status_code == 200, answer.text
    results: list[dict[str, Any]] = answer.json()["results"]
    return results


async def test_a_reading_may_name_its_meter_by_serial(
    world: World, http: httpx.AsyncClient
) -> None:
    good = {"serial": "PUSHED1", "taken_at": moment(world, 30), "register_wh": 1_000_500}
    strange = {**good, "serial": "NOBODYS"}
    assert await push(http, good, strange) == [
        {"installation_id": 1, "serial": "PUSHED1", "result": "accepted", "reason": "stored"},
        {
            "installation_id": None,
            "serial": "NOBODYS",
            "result": "unknown_serial",
            "reason": "no installation has, or had, a meter of this serial; not kept",
        },
    ]
    by_number = {"installation_id": 1, "taken_at": good["taken_at"], "register_wh": 1_000_500}
    assert [r["result"] for r in await push(http, by_number, good)] == ["duplicate", "duplicate"]


async def test_a_serial_means_the_meter_s_open_installation(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.close(2)
    await world.open(4, opened_at=world.clock.now() - timedelta(hours=1))
    async with world.database.transaction() as conn:
        await conn.exec_driver_sql(
            "UPDATE installation SET serial = 'MOVED' WHERE installation_id IN (2, 4)"
        )
    one = {"serial": "MOVED", "taken_at": moment(world, 30), "register_wh": 1_000_500}
    assert [r["installation_id"] for r in await push(http, one)] == [4]
    await world.close(4)
    [late] = await push(http, {**one, "taken_at": moment(world, 20)})
    assert (late["installation_id"], late["result"]) == (4, "closed")


@pytest.mark.parametrize("meter", [{}, {"installation_id": 1, "serial": "PUSHED1"}])
async def test_a_reading_names_one_meter(
    world: World, http: httpx.AsyncClient, meter: dict[str, Any]
) -> None:
    reading = {**meter, "taken_at": moment(world, 30), "register_wh": 1_000_500}
    answer = await http.post("/v1/readings", json={"readings": [reading]})
    assert answer.status_code == 422
    [error] = answer.json()["errors"]
    assert (error["pointer"], error["code"]) == ("/readings/0", "which_meter")


async def test_a_thousand_readings_good_and_bad_are_answered_each_and_stored_once(
    world: World, http: httpx.AsyncClient
) -> None:
    """Four kinds in turn, given from the newest to the oldest."""
    now = world.clock.now()
    batch: list[dict[str, Any]] = []
    for number in range(250):
        at = (now - timedelta(seconds=10 * number + 60)).isoformat()
        register_wh = 1_000_000 + (250 - number) * 20
        batch += [
            {"installation_id": 1, "taken_at": at, "register_wh": register_wh},
            {"serial": "PUSHED2", "taken_at": at, "register_wh": register_wh},
            {"installation_id": 3, "taken_at": at, "register_wh": 900_000_000},
            {"serial": "NOBODYS", "taken_at": at, "register_wh": register_wh},
        ]
    wanted = ["accepted", "accepted", "jump", "unknown_serial"] * 250
    assert [r["result"] for r in await push(http, *batch)] == wanted
    said = await world.told_registers()
    again = await push(http, *batch)
    assert [r["result"] for r in again] == [
        "duplicate",
        "duplicate",
        "jump",
        "unknown_serial",
    ] * 250
    assert await world.told_registers() == said
    assert len(said) == 500
    assert await world.registers(1) == [1_000_000 + 20 * n for n in range(1, 251)]
    parked = await world.rows("SELECT installation_id FROM held_reading")
    assert [row["installation_id"] for row in parked] == [3] * 250


def csv_of(world: World, *lines: tuple[str, float, str]) -> str:
    rows = [f"{serial},{moment(world, ago)},{kwh}" for serial, ago, kwh in lines]
    return "\n".join(["serial,taken_at,register_kwh", *rows, ""])


async def send(http: httpx.AsyncClient, text: str, **query: Any) -> httpx.Response:
    return await http.post(
        "/v1/reading-imports", content=text, params=query, headers={"Content-Type": "text/csv"}
    )


async def kept(world: World) -> list[Any]:
    return [await world.rows(query) for query in KEPT]


async def test_a_file_is_judged_by_a_dry_run_as_it_will_be_taken(
    world: World, http: httpx.AsyncClient
) -> None:
    """The lines of a meter stand in any order; those of one depend on each other."""
    text = csv_of(
        world, ("PUSHED1", 20, "1001.000"), ("PUSHED1", 30, "1000.5"), ("PUSHED1", 10, "1000.2"),
        ("PUSHED2", 10, "5000"), ("NOBODYS", 10, "1"), ("PUSHED3", -60, "1000.1"),
    )  # fmt: skip
    wanted = ["accepted", "accepted", "backwards", "jump", "unknown_serial", "future"]
    before = await kept(world)
    for _ in range(2):
        rehearsed = await send(http, text, dry_run=True)
        assert [one["result"] for one in rehearsed.json()["lines"]] == wanted
        assert await kept(world) == before
    taken = await send(http, text)
    assert [one["result"] for one in taken.json()["lines"]] == wanted
    assert [one["line"] for one in taken.json()["lines"]] == [2, 3, 4, 5, 6, 7]
    assert (taken.json()["accepted"], await world.registers(1)) == (2, [1_000_500, 1_001_000])
    after = await kept(world)
    again = await send(http, text)
    assert [one["result"] for one in again.json()["lines"]] == [
        "duplicate",
        "duplicate",
        *wanted[2:],
    ]
    assert (await kept(world))[:2] == after[:2]


async def test_a_line_that_cannot_be_read_stops_the_file(
    world: World, http: httpx.AsyncClient
) -> None:
    before = await kept(world)
    text = csv_of(world, ("PUSHED1", 20, "1001"), ("PUSHED2", 20, "1001,5"), ("", 10, "x"))
    answer = await send(http, text)
    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_file")
    assert [error["pointer"] for error in answer.json()["errors"]] == [
        "/lines/3", "/lines/4/serial", "/lines/4/register_kwh",
    ]  # fmt: skip
    assert await kept(world) == before
    for content, kind, code in (
        (b"serial", "application/json", "unsupported_media_type"),
        (b"serial\n\xff", "text/csv", "not_utf8"),
        (b"", "text/csv; charset=utf-8", "unreadable_file"),
    ):
        headers = {"Content-Type": kind}
        answer = await http.post("/v1/reading-imports", content=content, headers=headers)
        assert answer.json()["code"] == code


async def test_a_full_file_is_taken_at_once(world: World, http: httpx.AsyncClient) -> None:
    lines = [("PUSHED1", 110 - n / 100, f"{1000 + n / 1000:.3f}") for n in range(10_000)]
    text = csv_of(world, *lines)
    answer = await send(http, text)
    assert answer.status_code == 200, answer.text
    results = {one["result"] for one in answer.json()["lines"]}
    assert results <= {"accepted", "unchanged", "conflict"}
    assert len(await world.registers(1)) == answer.json()["accepted"] >= 6000


async def test_the_command_takes_the_same_file(
    world: World, issuer: TestIssuer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("DATABASE_URL", world.store.url),
        ("AMQP_URL", "amqp://x/y"),
        ("JWKS_PATH", str(issuer.jwks_path)),
    ):
        monkeypatch.setenv(f"NPMS_METER_GATEWAY_{name}", value)
    file = tmp_path / "readings.csv"
    file.write_text(csv_of(world, ("PUSHED1", 20, "1001"), ("PUSHED2", 20, "9999")))

    def run(*words: str) -> tuple[int, str]:
        result = CliRunner().invoke(app, ["import", "--by", "amina", *words])
        return result.exit_code, result.output

    code, said = await asyncio.to_thread(run, str(file), "--dry-run")
    assert (code, said.splitlines()[-1]) == (0, "2 readings: 1 would be stored")
    assert await world.registers(1) == []
    code, said = await asyncio.to_thread(run, str(file))
    first, second, last = said.splitlines()
    assert (code, first, last) == (0, "line 2: accepted: stored", "2 readings: 1 stored")
    assert second.startswith("line 3: jump: the register moved further than the fuse allows")
    assert await world.registers(1) == [1_001_000]
    file.write_text("serial,taken_at,register_kwh\nPUSHED1,yesterday,1\n")
    code, said = await asyncio.to_thread(run, str(file))
    assert (code, "line 2, taken_at: 'yesterday' is no time" in said) == (1, True)
