"""R18: feeders over REST, and the alarm of a day that lost too much."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World

from npms_meter_gateway.handlers.record_readings import Readings
from npms_meter_gateway.loops import check_feeders
from npms_shared.clock import ManualClock

NAIROBI_MIDNIGHT = datetime(2026, 3, 2, 21, tzinfo=UTC)
"""The first second of 3 March there."""
T0 = int(NAIROBI_MIDNIGHT.timestamp())
FEEDER, TENANTS = 1, (2, 3)
BODY = {
    "members": list(TENANTS),
    "tolerance_percent": "8",
    "time_zone": "Africa/Nairobi",
    "reason": "Transformer T7",
}


@pytest.fixture
async def world(database_for: Callable[[str], Awaitable[TestDatabase]]) -> World:
    world = World(
        await database_for("meter-gateway"), ManualClock(NAIROBI_MIDNIGHT - timedelta(hours=2))
    )
    for installation_id in (FEEDER, *TENANTS):
        await world.open(installation_id, max_power_w=100_000)
    return world


async def use(world: World, day: int, *, feeder_wh: int, tenants_wh: tuple[int, int]) -> None:
    """A day's hourly readings; each meter uses so much, evenly."""
    recorder = world.recorder()
    used = dict(zip((FEEDER, *TENANTS), (feeder_wh, *tenants_wh), strict=True))
    latest = {row["installation_id"]: row["wh"] for row in await world.rows(
        "SELECT installation_id, max(register_wh) AS wh FROM reading GROUP BY installation_id"
    )}  # fmt: skip
    world.clock.at = max(world.clock.at, NAIROBI_MIDNIGHT + timedelta(days=day + 1))
    for one, energy_wh in used.items():
        start_wh = latest.get(one, 1_000_000)
        hours = range(0 if one not in latest else 1, 25)
        readings = Readings(
            [one] * len(hours),
            [T0 + day * 86_400 + hour * 3600 for hour in hours],
            [start_wh + energy_wh * hour // 24 for hour in hours],
        )
        assert (await recorder.record_readings(readings, source="test")).others == {}


async def alarms(world: World) -> list[tuple[str, bool]]:
    rows = await world.rows("SELECT kind, cleared_at FROM alarm ORDER BY raised_at")
    return [(row["kind"], row["cleared_at"] is None) for row in rows]


async def test_r18_a_day_beyond_its_tolerance_raises_an_alarm_until_one_is_within(
    world: World, http: httpx.AsyncClient
) -> None:
    assert (await http.put("/v1/feeders/1", json=BODY)).json()["changed_by"] == "amina"
    context = world.context()
    await use(world, 0, feeder_wh=24_000, tenants_wh=(12_000, 11_000))
    world.clock.advance(timedelta(hours=3))
    assert await check_feeders(context) == 2, "the day of the change too"
    assert await alarms(world) == []
    await use(world, 1, feeder_wh=24_000, tenants_wh=(12_000, 7_000))
    world.clock.advance(timedelta(hours=3))
    assert (await check_feeders(context), await check_feeders(context)) == (1, 0)
    assert await alarms(world) == [("feeder_loss", True)]
    await use(world, 2, feeder_wh=24_000, tenants_wh=(12_000, 12_000))
    world.clock.advance(timedelta(hours=3))
    assert await check_feeders(context) == 1
    assert await alarms(world) == [("feeder_loss", False)]
    answer = await http.get(
        "/v1/feeders/1/losses", params={"from": "2026-03-03", "to": "2026-03-06"}
    )
    assert answer.status_code == 200, answer.text
    days = answer.json()["days"]
    assert [(d["loss"]["value"], d["loss_percent"], d["beyond_tolerance"]) for d in days] == [
        ("1.000", "4.1666", False),
        ("5.000", "20.8333", True),
        ("0.000", "0", False),
    ]
    assert days[0]["begins"] == "2026-03-02T21:00:00Z"


async def test_r18_a_silent_member_is_named_and_the_day_waits_for_it(
    world: World, http: httpx.AsyncClient
) -> None:
    await http.put("/v1/feeders/1", json=BODY)
    context = world.context()
    await use(world, 0, feeder_wh=24_000, tenants_wh=(12_000, 11_000))
    await world.open(4)
    await http.put("/v1/feeders/1", json={**BODY, "members": [2, 3, 4]})
    await use(world, 1, feeder_wh=24_000, tenants_wh=(12_000, 11_000))
    world.clock.advance(timedelta(hours=3))
    assert await check_feeders(context) == 0
    span = {"from": "2026-03-04", "to": "2026-03-05"}
    (day,) = (await http.get("/v1/feeders/1/losses", params=span)).json()["days"]
    assert (day["missing"], day["loss"], day["counted"]["value"]) == ([4], None, "23.000")
    world.clock.advance(timedelta(hours=46))
    assert await check_feeders(context) == 1
    assert await alarms(world) == [], "nothing is raised of what cannot be told"


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"members": [77]}, 422),
        ({"tolerance_percent": "101"}, 422),
        ({"tolerance_percent": "-1"}, 422),
        ({"time_zone": "Mars/Olympus"}, 422),
        ({"members": [1]}, 422),
    ],
)
async def test_r18_a_feeder_that_cannot_be_is_refused(
    world: World, http: httpx.AsyncClient, change: dict[str, object], status: int
) -> None:
    answer = await http.put("/v1/feeders/1", json={**BODY, **change})
    assert answer.status_code == status, answer.text
    assert await world.rows("SELECT * FROM feeder") == []


async def test_r18_what_is_no_feeder_is_not_found(world: World, http: httpx.AsyncClient) -> None:
    assert (await http.put("/v1/feeders/77", json=BODY)).status_code == 404
    assert (await http.get("/v1/feeders/1")).status_code == 404
    span = {"from": "2026-03-04", "to": "2026-03-05"}
    assert (await http.get("/v1/feeders/1/losses", params=span)).status_code == 404
    await http.put("/v1/feeders/1", json=BODY)
    for wrong in ({"from": "2026-03-05", "to": "2026-03-04"}, {"from": "2026-03-05"}, {}):
        assert (await http.get("/v1/feeders/1/losses", params=wrong)).status_code == 422
    assert [f["installation_id"] for f in (await http.get("/v1/feeders")).json()["items"]] == [1]
