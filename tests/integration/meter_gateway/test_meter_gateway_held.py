"""Held readings over REST: listed with their reason, decided of once, with a record of who did."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.record_readings import Outcome, Readings
from npms_meter_gateway.handlers.suspect_meter import suspect_meter, trust_meter
from npms_meter_gateway.loops import tend_held
from npms_shared.clock import ManualClock

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
T0 = int(START.timestamp())
WHY = {"reason": "order 17"}
U32_OF_10_WH = 42_949_672_960


@pytest.fixture
async def world(database_for: Callable[[str], Awaitable[TestDatabase]]) -> World:
    world = World(await database_for("meter-gateway"), ManualClock(START))
    await world.open(1)
    world.clock.advance(timedelta(days=1))
    return world


async def take(world: World, *readings: tuple[int, int]) -> Outcome:
    """(quarters of an hour after the opening, register)"""
    return await world.recorder().record_readings(
        Readings(
            [1] * len(readings), [T0 + 900 * n for n, _ in readings], [wh for _, wh in readings]
        ),
        source="test",
    )


async def decide(http: httpx.AsyncClient, held_id: int, what: str, **body: Any) -> httpx.Response:
    return await http.post(f"/v1/held-readings/{held_id}/{what}", json=WHY | body)


async def good(http: httpx.AsyncClient, held_id: int, what: str, **body: Any) -> dict[str, Any]:
    answer = await decide(http, held_id, what, **body)
    assert answer.status_code == 200, answer.text
    return dict(answer.json())


async def states(world: World) -> list[tuple[str, str]]:
    rows = await world.rows("SELECT reason, state FROM held_reading ORDER BY held_id")
    return [(row["reason"], row["state"]) for row in rows]


def kwh(value: str) -> dict[str, str]:
    return {"value": value, "unit": "kWh"}


async def test_a_held_reading_is_shown_between_its_neighbours_with_an_estimate(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (2, 1_000_200), (3, 9_000_000), (4, 1_000_450))
    (listed,) = (await http.get("/v1/held-readings", params={"reason": "jump"})).json()["items"]
    assert (listed["reason"], listed["state"], listed["register_wh"]) == ("jump", "held", "9000000")
    shown = (await http.get(f"/v1/held-readings/{listed['held_id']}")).json()
    assert shown["before"]["register"] == kwh("1000.200")
    assert shown["after"]["register"] == kwh("1000.450")
    assert shown["estimate"] == kwh("1000.300")
    assert shown["decisions"] == []
    for other in ({"reason": "late"}, {"state": "released"}, {"installation_id": 2}):
        assert (await http.get("/v1/held-readings", params=other)).json()["items"] == []


async def test_r6_a_jump_that_was_true_is_released_and_told(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (2, 1_050_000), (3, 1_050_100))
    assert await states(world) == [("jump", "held"), ("jump", "held")]
    shown = await good(http, 1, "release")
    assert shown["decisions"][0] | {"decided_at": ""} == {
        "decision": "released",
        "register": kwh("1050.000"),
        "by": "amina",
        "reason": "order 17",
        "decided_at": "",
    }
    assert await states(world) == [("jump", "released")] * 2, "the one after it follows"
    assert await world.registers(1) == [1_000_100, 1_050_000, 1_050_100]
    again = await take(world, (2, 1_050_000), (3, 1_050_100))
    assert set(again.others.values()) == {Verdict.DUPLICATE}


async def test_a_wrong_reading_is_corrected_and_only_that_one(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (2, 9_000_000))
    await good(http, 1, "correct", register=kwh("1000.250"))
    assert (await take(world, (3, 1_000_300))).accepted == 1
    assert await world.registers(1) == [1_000_100, 1_000_250, 1_000_300]
    listed = await http.get(
        "/v1/meters/1/readings",
        params={"from": START.isoformat(), "to": world.clock.now().isoformat()},
    )
    assert [
        (r["register"]["value"], r["raw"]["value"], r["how"]) for r in listed.json()["items"]
    ] == [
        ("1000.100", "1000.100", "read"),
        ("1000.250", "9000.000", "corrected"),
        ("1000.300", "1000.300", "read"),
    ]
    assert (await take(world, (2, 9_000_000))).others == {0: Verdict.DUPLICATE}


async def test_a_meter_that_counts_on_from_a_wrong_register_is_reckoned_from_the_right_one(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (2, 9_000_000))
    await good(http, 1, "correct", register=kwh("1000.250"), counts_on=True)
    assert (await take(world, (3, 9_000_100))).accepted == 1
    assert await world.registers(1) == [1_000_100, 1_000_250, 1_000_350]
    (reckoned,) = (await http.get("/v1/meters/1/ratios")).json()["items"]
    assert (reckoned["ratio"], reckoned["register"], reckoned["validated"]) == (
        "1",
        kwh("9000.000"),
        kwh("1000.250"),
    )


async def test_r10_the_second_of_two_registers_of_a_moment_waits_and_never_replaces_the_first(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (1, 1_000_110), (1, 1_000_100), (2, 1_000_300))
    assert await states(world) == [("conflict", "held")]
    for what, body in (("release", {}), ("correct", {"register": kwh("1000.105")})):
        answer = await decide(http, 1, what, **body)
        assert (answer.status_code, answer.json()["code"]) == (409, "moment_taken")
    await good(http, 1, "reject")
    assert await world.registers(1) == [1_000_100, 1_000_300]


async def test_a_decision_must_fit_and_is_made_once(world: World, http: httpx.AsyncClient) -> None:
    await take(world, (1, 1_000_100), (2, 12), (3, 1_000_300))
    answer = await decide(http, 1, "release")
    assert (answer.status_code, answer.json()["code"]) == (409, "read_since")
    for value in ("1000.099", "1000.301"):
        answer = await decide(http, 1, "correct", register=kwh(value), counts_on=False)
        assert (answer.status_code, answer.json()["code"]) == (409, "does_not_fit")
    await good(http, 1, "correct", register=kwh("1000.200"), counts_on=False)
    for what in ("release", "reject"):
        answer = await decide(http, 1, what)
        assert (answer.status_code, answer.json()["code"]) == (409, "held_decided")
    assert (await decide(http, 99, "reject")).status_code == 404
    assert await world.registers(1) == [1_000_100, 1_000_200, 1_000_300]


async def test_what_is_of_nobody_or_not_yet_or_over_cannot_be_released(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.recorder().record_readings(Readings([77], [T0 + 900], [5]), source="test")
    await take(world, (200, 1_000_100))
    await world.close(1, 1_000_000)
    await take(world, (3, 1_000_100))
    for held_id, code in ((1, "unknown_installation"), (2, "installation_closed")):
        answer = await decide(http, held_id, "release")
        assert (answer.status_code, answer.json()["code"]) == (409, code)
    await good(http, 1, "reject")


async def test_r3_readings_of_a_meter_under_suspicion_are_held_until_a_person_knows_it(
    world: World, http: httpx.AsyncClient
) -> None:
    recorder = world.recorder()

    async def sent(n: int, register_wh: int) -> Outcome:
        return await recorder.record_readings(
            Readings([1], [T0 + 900 * n], [register_wh]), source="poll"
        )

    assert (await sent(1, 1_000_100)).accepted == 1
    async with world.database.transaction() as conn:
        assert await suspect_meter(conn, world.context(), 1, detail="serial 9 for 7")
        assert not await suspect_meter(conn, world.context(), 1, detail="again")
    for n in (2, 3):
        assert (await sent(n, 1_000_100 + 100 * n)).others == {0: Verdict.FOREIGN_METER}
    assert await world.registers(1) == [1_000_100]
    await good(http, 1, "release")
    assert await states(world) == [("foreign_meter", "released")] * 2
    assert (await sent(4, 1_000_500)).accepted == 1
    async with world.database.transaction() as conn:
        await suspect_meter(conn, world.context(), 1, detail="serial 9 for 7")
        assert await trust_meter(conn, world.context(), 1)
    assert (await sent(5, 1_000_600)).accepted == 1


async def test_what_a_later_reading_makes_harmless_is_superseded_and_a_fall_is_not(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (2, 12), (3, 9_000_000), (4, 1_000_300), (2, 1_000_150))
    await tend_held(world.context(held_kept_days=0))
    assert await states(world) == [
        ("backwards", "held"), ("jump", "superseded"), ("late", "superseded"),
    ]  # fmt: skip
    gauge = "npms_gateway_held_readings"
    assert REGISTRY.get_sample_value(gauge, {"reason": "backwards"}) == 1
    assert REGISTRY.get_sample_value(gauge, {"reason": "jump"}) == 0
    shown = (await http.get("/v1/held-readings/2")).json()
    assert (shown["decisions"][0]["decision"], shown["decisions"][0]["by"]) == ("superseded", None)
    late = await good(http, 3, "release")
    assert [d["decision"] for d in late["decisions"]] == ["superseded", "released"]
    assert await world.registers(1) == [1_000_100, 1_000_150, 1_000_300]


async def test_rejected_ones_are_dropped_when_old_and_evidence_is_kept(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100), (2, 9_000_000), (3, 1_060_000))
    await good(http, 1, "reject")
    await good(http, 2, "release")
    world.clock.advance(timedelta(days=10))
    await tend_held(world.context(held_kept_days=11))
    assert len(await states(world)) == 2
    await tend_held(world.context(held_kept_days=9))
    assert await states(world) == [("jump", "released")]


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE held_reading SET register_wh = 5",
        "DELETE FROM held_reading",
        "UPDATE held_decision SET reason = ''",
        "DELETE FROM held_decision",
        "UPDATE reckoning SET ratio = 2",
        "DELETE FROM reading_origin",
    ],
)
async def test_what_was_shown_and_decided_cannot_be_changed(world: World, statement: str) -> None:
    with pytest.raises(DBAPIError, match="permission denied"):
        async with world.database.transaction() as conn:
            await conn.execute(text(statement))


async def test_r1_a_rollover_is_shown_beside_its_raw_register(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.open(2, opening_register_wh=U32_OF_10_WH - 100)
    at_s = int(world.clock.now().timestamp())
    world.clock.advance(timedelta(hours=1))
    outcome = await world.recorder().record_readings(
        Readings([2, 2], [at_s + 900, at_s + 1800], [U32_OF_10_WH - 10, 130]), source="test"
    )
    assert outcome.accepted == 2
    assert await world.registers(2) == [U32_OF_10_WH - 10, U32_OF_10_WH + 130]


async def test_r9_a_ratio_over_rest_is_an_exact_decimal_and_needs_a_reason(
    world: World, http: httpx.AsyncClient
) -> None:
    await take(world, (1, 1_000_100))
    body = {
        "from": (START + timedelta(minutes=20)).isoformat(),
        "ratio": "7.5",
        "register": kwh("1000.110"),
        "reason": "Transformers of 37.5/5 A",
    }
    for change, code in (
        ({"ratio": "0.5"}, "ratio_out_of_range"),
        ({"ratio": "seven"}, "not_a_ratio"),
        ({"ratio": 7.5}, "string_type"),
        ({"reason": ""}, "string_too_short"),
    ):
        answer = await http.post("/v1/meters/1/ratios", json=body | change)
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)
    answer = await http.post("/v1/meters/1/ratios", json=body)
    assert answer.status_code == 201, answer.text
    assert answer.json()["items"][0]["ratio"] == "7.5"
    await take(world, (2, 1_000_120))
    assert await world.registers(1) == [1_000_100, 1_000_110, 1_000_185]
    assert (await http.post("/v1/meters/9/ratios", json=body)).status_code == 404
