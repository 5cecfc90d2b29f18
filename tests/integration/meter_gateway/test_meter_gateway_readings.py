from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from structlog.testing import capture_logs
from tests.support.databases import TestDatabase
from tests.support.gateway_world import PARTITIONS, World

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.record_readings import Readings
from npms_meter_gateway.invariants import RULES
from npms_shared.clock import ManualClock
from npms_shared.db import invariants
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import Unprocessable
from npms_tools.street.street import Plan, build_street

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
T0 = int(START.timestamp())
MakeDatabase = Callable[[str], Awaitable[TestDatabase]]


@pytest.fixture
async def world(database_for: MakeDatabase) -> World:
    world = World(await database_for("meter-gateway"), ManualClock(START))
    for installation_id in (1, 2, 3):
        await world.open(installation_id)
    world.clock.advance(timedelta(days=30))
    return world


async def test_what_is_good_is_stored_and_told_by_partition(world: World) -> None:
    recorder = world.recorder()
    outcome = await recorder.record_readings(
        Readings(
            [1, 2, 1, 9],
            [T0 + 900, T0 + 900, T0 + 1800, T0 + 900],
            [1_000_100, 1_000_200, 1_000_300, 5],
        ),
        source="rest",
    )
    assert (outcome.accepted, outcome.others) == (3, {3: Verdict.UNKNOWN_INSTALLATION})
    assert await world.registers(1) == [1_000_100, 1_000_300]
    assert await world.registers(2) == [1_000_200]
    said = await world.said(str(partition_of(10, PARTITIONS)))
    mine = [
        item
        for body in said
        for item in zip(
            body["installation_id"], body["account_id"], body["taken_at_s"], body["register_wh"],
            strict=True,
        )
    ]  # fmt: skip
    assert [i for i in mine if i[0] == 1] == [
        (1, 10, T0 + 900, 1_000_100),
        (1, 10, T0 + 1800, 1_000_300),
    ]


async def test_bad_readings_are_held_with_a_reason_and_the_same_twice_is_nothing_new(
    world: World,
) -> None:
    recorder = world.recorder()
    good = Readings([1, 1], [T0 + 900, T0 + 1800], [1_000_100, 1_000_300])
    await recorder.record_readings(good, source="rest")
    again = await recorder.record_readings(good, source="rest")
    assert set(again.others.values()) == {Verdict.DUPLICATE}
    bad = Readings(
        [1, 1, 1, 1, 1],
        [T0 + 900, T0 + 1000, T0 + 2700, T0 + 2700, T0 + 40 * 86400],
        [1_000_101, 1_000_150, 500, 9_000_000, 1_000_400],
    )
    for _ in range(2):
        outcome = await recorder.record_readings(bad, source="rest")
        assert list(outcome.others.values()) == [
            Verdict.CONFLICT, Verdict.LATE, Verdict.BACKWARDS, Verdict.JUMP, Verdict.FUTURE,
        ]  # fmt: skip
    parked = await world.rows("SELECT reason FROM held_reading ORDER BY held_id")
    assert [row["reason"] for row in parked] == [v.value for v in outcome.others.values()]
    assert await world.registers(1) == [1_000_100, 1_000_300]


async def test_two_processes_never_contradict_each_other(world: World) -> None:
    """Each has its own memory; the partition's cursor tells when it is out of date."""
    first, second = world.recorder(), world.recorder()
    register_wh, accepted = 1_000_000, 0
    for step in range(1, 9):
        recorder = first if step % 3 else second
        register_wh += 100
        outcome = await recorder.record_readings(
            Readings([1], [T0 + 900 * step], [register_wh]), source="rest"
        )
        accepted += outcome.accepted
        stale = await second.record_readings(
            Readings([1], [T0 + 900 * step], [register_wh]), source="rest"
        )
        assert stale.others == {0: Verdict.DUPLICATE}
    assert accepted == 8
    back = await first.record_readings(
        Readings([1], [T0 + 9000], [register_wh - 500]), source="rest"
    )
    assert back.others == {0: Verdict.BACKWARDS}


async def test_a_restart_continues_from_the_last_accepted_reading(world: World) -> None:
    await world.recorder().record_readings(Readings([1], [T0 + 900], [1_000_500]), source="rest")
    outcome = await world.recorder().record_readings(
        Readings([1, 1], [T0 + 1800, T0 + 900], [1_000_400, 1_000_500]), source="rest"
    )
    assert outcome.others == {0: Verdict.BACKWARDS, 1: Verdict.DUPLICATE}


async def test_what_did_not_commit_is_forgotten(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    recorder = world.recorder()
    readings = Readings([1], [T0 + 900], [1_000_100])
    with monkeypatch.context() as patch:
        patch.setattr("npms_meter_gateway.handlers.record_readings.outbox.publish_batches", _break)
        with pytest.raises(RuntimeError):
            await recorder.record_readings(readings, source="poll")
    assert await world.registers(1) == []
    assert (await recorder.record_readings(readings, source="poll")).accepted == 1


async def _break(*_: object, **__: object) -> None:
    raise RuntimeError("broken on purpose")


async def test_after_closing_nothing_is_accepted_by_anyone(world: World) -> None:
    recorder = world.recorder()
    await recorder.record_readings(Readings([1], [T0 + 900], [1_000_100]), source="rest")
    await world.close(1, 1_000_100)
    outcome = await recorder.record_readings(Readings([1], [T0 + 1800], [1_000_200]), source="rest")
    assert outcome.others == {0: Verdict.CLOSED}


async def test_readings_cannot_be_changed_by_the_application(world: World) -> None:
    await world.recorder().record_readings(Readings([1], [T0 + 900], [1_000_100]), source="rest")
    for statement in ("UPDATE reading SET register_wh = 0", "DELETE FROM reading"):
        with pytest.raises(DBAPIError, match="permission denied"):
            async with world.database.transaction() as conn:
                await conn.execute(text(statement))


async def test_unknown_profiles_and_places_are_unprocessable_and_second_closings_change_nothing(
    world: World,
) -> None:
    meter = next(iter(build_street(Plan(meters=1, gateways=1), world.clock).meters.values()))
    await world.open(4, meter)
    await world.open(4, meter)
    await world.close(4)
    await world.close(4)
    for place in ({"port": 70_000, "unit_id": 1}, {"port": 502, "unit_id": 300}):
        nowhere = {"serial": "X", "profile": "pzem_016", "host": "h", **place}
        with pytest.raises(Unprocessable, match="bad_address"):
            await world.open(6, meter=nowhere)
    connection = {"serial": "X", "profile": "crystal_ball", "host": "", "port": 0, "unit_id": 1}
    with pytest.raises(Unprocessable, match="unknown_profile"):
        await world.open(6, meter=connection)


async def test_an_installation_of_an_uncertain_profile_is_told_once(world: World) -> None:
    meter = {"serial": "X", "host": "", "port": 0, "unit_id": 1}
    with capture_logs() as logs:
        await world.open(7, meter={**meter, "profile": "pzem_016"})
        await world.open(8, meter={**meter, "serial": "Y", "profile": "eastron_sdm630"})
    assert [
        (entry["installation_id"], entry["profile"], entry["confidence"])
        for entry in logs
        if entry["event"] == "uncertain_profile"
    ] == [(7, "pzem_016", "disputed")]


async def test_an_older_revision_changes_nothing(world: World) -> None:
    await world.desire(1, "off", revision=17)
    await world.desire(1, "on", revision=16)
    await world.desire(1, "on", revision=17)
    supply = await world.supply(1)
    assert (supply["desired_state"], supply["desired_revision"]) == ("off", 17)
    await world.desire(1, "on", revision=18)
    assert (await world.supply(1))["desired_state"] == "on"


async def test_the_rules_hold_and_find_what_is_planted(world: World) -> None:
    await world.recorder().record_readings(Readings([1], [T0 + 900], [1_000_100]), source="rest")
    assert await invariants.check(world.database, RULES) == []
    planted = {
        "gateway_registers_monotonic": (
            "INSERT INTO meter_state (installation_id) VALUES (1)",
            "INSERT INTO reading VALUES (1, to_timestamp(2000000000), 5)",
        ),
        "gateway_readings_have_installation": ("INSERT INTO reading VALUES (99, now(), 5)",),
        "gateway_held_readings_have_decisions": (
            """
            INSERT INTO held_reading (installation_id, taken_at, register_wh, reason, source,
                                      held_at, state)
            VALUES (1, now(), 5, 'jump', 'poll', now(), 'rejected')
            """,
        ),
        "gateway_reckonings_begin_at_a_reading": (
            "INSERT INTO reckoning VALUES (1, now(), 5, 7, 40, 'x', 'x', now())",
        ),
        "gateway_settled_supplies_are_in_place": (
            """
            INSERT INTO supply (installation_id, account_id, desired_state, desired_revision,
                                desired_reason, decided_at, settled, next_try_at, reported_state,
                                reported_revision, reported_verified)
            VALUES (1, 10, 'off', 5, '', now(), true, now(), 'on', 5, true)
            """,
        ),
    }
    for name, statements in planted.items():
        async with world.database.transaction() as conn:
            for statement in statements:
                await conn.execute(text(statement))
        assert name in {v.rule.name for v in await invariants.check(world.database, RULES)}


async def test_r6_a_fall_is_told_and_a_rollover_is_not(world: World) -> None:
    """So that rating stops until a person has looked."""
    recorder = world.recorder()
    await recorder.record_readings(Readings([1, 2], [T0 + 900] * 2, [1_000_100] * 2), source="rest")
    fallen = Readings([1, 1, 2], [T0 + 1800, T0 + 2700, T0 + 1800], [500, 600, 1_000_200])
    await recorder.record_readings(fallen, source="rest")
    said = await world.said("register_fell.v1")
    told = [(e["installation_id"], e["register_wh"], e["last_register_wh"]) for e in said]
    assert told == [(1, 600, 1_000_100)]
