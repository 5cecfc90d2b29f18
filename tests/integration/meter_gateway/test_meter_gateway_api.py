import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, client_of, service_of
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_meter_gateway.bootstrap import build
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.clock import SystemClock
from npms_shared.contracts.ledger import SupplyDesired
from npms_shared.messaging import outbox
from npms_shared.runtime import Service, make_worker
from npms_shared.settings import SettingsError, read_settings

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def world(database_for: MakeDatabase) -> World:
    world = World(await database_for("meter-gateway"), SystemClock())
    for number in (1, 2, 3):
        await world.open(number, opened_at=world.clock.now() - timedelta(hours=2))
    return world


@pytest.fixture
async def service(world: World, issuer: TestIssuer, amqp_url: str) -> AsyncIterator[Service]:
    async with service_of(world, issuer, amqp_url=amqp_url) as service:
        yield service


@pytest.fixture
async def http(service: Service) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(service) as client:
        yield client


def reading(world: World, installation_id: int, *, minutes_ago: int, wh: int) -> dict[str, object]:
    taken_at = world.clock.now() - timedelta(minutes=minutes_ago)
    return {
        "installation_id": installation_id, "taken_at": taken_at.isoformat(), "register_wh": wh,
    }  # fmt: skip


async def test_readings_are_answered_one_by_one(
    world: World, http: httpx.AsyncClient, issuer: TestIssuer
) -> None:
    body = {
        "readings": [
            reading(world, 1, minutes_ago=30, wh=1_000_500),
            reading(world, 1, minutes_ago=20, wh=999_000),
            reading(world, 2, minutes_ago=30, wh=99_000_000),
            reading(world, 77, minutes_ago=30, wh=1),
            reading(world, 3, minutes_ago=-30, wh=1_000_100),
        ]
    }
    headers = issuer.headers("service")
    answer = await http.post("/v1/readings", json=body, headers=headers)
    assert answer.status_code == 200
    assert answer.json()["accepted"] == 1
    assert [r["result"] for r in answer.json()["results"]] == [
        "accepted", "backwards", "jump", "unknown_installation", "future",
    ]  # fmt: skip
    again = await http.post("/v1/readings", json=body, headers=headers)
    assert again.json()["results"][0]["result"] == "duplicate"
    parked = await http.get("/v1/held-readings?limit=3", headers=issuer.headers("operator"))
    assert [p["reason"] for p in parked.json()["items"]] == [
        "future", "backwards", "unknown_installation",
    ]  # fmt: skip
    rest = await http.get(
        f"/v1/held-readings?cursor={parked.json()['next_cursor']}",
        headers=issuer.headers("operator"),
    )
    assert [p["reason"] for p in rest.json()["items"]] == ["jump"]


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"taken_at": "2026-03-02T12:00:00"}, "/readings/0/taken_at"),
        ({"register_wh": -1}, "/readings/0/register_wh"),
        ({"register_wh": 1.5}, "/readings/0/register_wh"),
        ({"installation_id": 1 << 70}, "/readings/0/installation_id"),
        ({"colour": "red"}, "/readings/0/colour"),
        ({"taken_at": "9999-12-31T23:59:59+00:00"}, "/readings/0/taken_at"),
    ],
)
async def test_what_is_malformed_is_refused_with_its_place(
    world: World,
    http: httpx.AsyncClient,
    issuer: TestIssuer,
    change: dict[str, object],
    pointer: str,
) -> None:
    body = {"readings": [{**reading(world, 1, minutes_ago=30, wh=1_000_500), **change}]}
    answer = await http.post("/v1/readings", json=body, headers=issuer.headers("service"))
    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["errors"][0]["pointer"] == pointer
    assert await world.rows("SELECT * FROM reading") == []


async def test_oversized_empty_and_unauthorised_requests_are_refused(
    world: World, http: httpx.AsyncClient, issuer: TestIssuer
) -> None:
    one = reading(world, 1, minutes_ago=30, wh=1_000_500)
    service, customer = issuer.headers("service"), issuer.headers("customer", customer_id=1)
    for readings in ([], [one] * 1001):
        answer = await http.post("/v1/readings", json={"readings": readings}, headers=service)
        assert answer.status_code == 422
    body = {"readings": [one]}
    assert (await http.post("/v1/readings", json=body)).status_code == 401
    assert (await http.post("/v1/readings", json=body, headers=customer)).status_code == 403
    assert (await http.get("/v1/meters", headers=customer)).status_code == 403


async def test_meters_show_what_is_known(
    world: World, http: httpx.AsyncClient, issuer: TestIssuer
) -> None:
    headers = issuer.headers("operator")
    await world.desire(1, "off")
    await http.post(
        "/v1/readings",
        json={"readings": [reading(world, 1, minutes_ago=30, wh=1_000_500)]},
        headers=headers,
    )
    page = (await http.get("/v1/meters?limit=2", headers=headers)).json()
    assert [m["installation_id"] for m in page["items"]] == [1, 2]
    page = (await http.get(f"/v1/meters?cursor={page['next_cursor']}", headers=headers)).json()
    assert ([m["installation_id"] for m in page["items"]], page["next_cursor"]) == ([3], None)
    meter = (await http.get("/v1/meters/1", headers=headers)).json()
    assert meter["last_reading"]["register"] == {"value": "1000.500", "unit": "kWh"}
    assert meter["supply"]["desired"] == {
        "state": "off",
        "revision": 1,
        "reason": "test",
        "limit_w": None,
    }
    assert (meter["link"]["state"], meter["supply"]["reported"]) == ("unknown", None)
    assert (await http.get("/v1/meters/99", headers=headers)).status_code == 404
    profiles = (await http.get("/v1/profiles", headers=headers)).json()["items"]
    assert {"hiking_dds238_2_znsr", "eastron_sdm320c"} <= {p["profile"] for p in profiles}
    assert all(p["sources"] for p in profiles)
    sure = {p["profile"]: (p["confidence"], p["is_certain"]) for p in profiles}
    assert sure["hiking_dds238_2_znsr"] == ("two_code_bases", True)
    assert sure["pzem_016"] == ("disputed", False)


def test_every_operation_has_an_id_and_is_described(service: Service) -> None:
    paths = service.app.openapi()["paths"]
    ids = [op["operationId"] for path in paths.values() for op in path.values()]
    assert len(ids) == len(set(ids))
    assert {"record_readings", "list_meters", "get_meter", "list_profiles"} <= set(ids)


async def test_the_worker_hears_and_tells_over_the_broker(world: World, service: Service) -> None:
    """Profiles are told at start; what the ledger desires arrives."""
    async with service.database.transaction() as conn:
        event = SupplyDesired(
            installation_id=1,
            account_id=10,
            state="off",
            revision=3,
            reason="test",
            decided_at=world.clock.now(),
        )
        await outbox.publish(conn, event, subject="10")
    worker = make_worker(service, work=True)
    task = asyncio.create_task(worker.run())

    async def heard() -> bool:
        return (await world.supply(1)).get("desired_revision") == 3

    async def told() -> bool:
        return await world.rows("SELECT * FROM outbox") == []

    await until(heard)
    await until(told)
    worker.stop()
    await task


def test_wrong_configuration_is_named(issuer: TestIssuer, tmp_path: Path) -> None:
    good = {
        "database_url": "postgresql://x/y",
        "amqp_url": "amqp://x/y",
        "jwks_path": issuer.jwks_path,
    }
    for name, value in (
        ("poll_interval_s", 0),
        ("profiles_path", tmp_path / "missing"),
        ("relay_alarm_after", 0),
        ("database_url", "nonsense"),
    ):
        with pytest.raises(SettingsError, match=f"NPMS_METER_GATEWAY_{name.upper()}"):
            read_settings(MeterGatewaySettings, **{**good, name: value})


def test_a_profile_with_overlapping_registers_stops_the_start(
    issuer: TestIssuer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "bad.yaml").write_text(
        """
        profile: bad_meter
        vendor: Nobody
        model: B1
        sources: [{what: this test, confidence: assumed}]
        resolution_wh: 10
        points:
          energy_import_wh: {table: holding, address: 10, type: u32, scale: "10"}
          power_w: {table: holding, address: 11, type: u16}
        relay: {kind: none}
        """
    )
    settings = MeterGatewaySettings(
        database_url="postgresql://x/y",
        amqp_url="amqp://x/y",
        jwks_path=issuer.jwks_path,
        profiles_path=tmp_path,
    )  # type: ignore[arg-type]
    with pytest.raises(SystemExit) as stopped:
        build(settings)
    assert stopped.value.code == 2
    assert "profile bad_meter: points.power_w: overlaps" in capsys.readouterr().err
