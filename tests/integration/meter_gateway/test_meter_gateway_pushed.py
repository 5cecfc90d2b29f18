"""Meters that send their readings, and readings that are sent for meters that do not."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

import httpx
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World

from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_readings import SentReading, take_readings
from npms_shared.contracts.ledger import MeterConnection

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
POLLED = MeterConnection(
    serial="P1", profile="hiking_dds238_2_znsr", host="127.0.0.1", port=15020, unit_id=1
)


async def test_a_reading_sent_for_a_meter_that_is_polled_is_refused_or_marked(
    world: World, http: httpx.AsyncClient
) -> None:
    before = world.clock.now() - timedelta(hours=1)
    await world.open(1, meter=POLLED, opened_at=before)
    await world.open(2, opened_at=before)
    at_s = int(world.clock.now().timestamp())
    sent = [
        SentReading("P1", at_s, 1_000_100),
        SentReading(1, at_s - 60, 1_000_050),
        SentReading(2, at_s, 1_000_100),
    ]
    taken = await take_readings(world.recorder(), sent, source="rest")
    refused = Verdict.POLLED_METER
    assert list(taken.verdicts) == [refused, refused, Verdict.ACCEPTED]
    assert await world.registers(1) == []
    assert await world.rows("SELECT 1 FROM held_reading") == []
    marking = ReadingRecorder(world.context(sent_for_polled="mark"))
    taken = await take_readings(marking, sent, source="rest")
    assert list(taken.verdicts)[:2] == [Verdict.ACCEPTED] * 2
    begin, end = "2026-03-01T00:00:00Z", "2026-03-09T00:00:00Z"
    for installation_id, how in ((1, ["sent", "sent"]), (2, ["read"])):
        path = f"/v1/meters/{installation_id}/readings"
        answer = await http.get(path, params={"from": begin, "to": end})
        assert [one["how"] for one in answer.json()["items"]] == how


async def test_of_a_meter_that_sends_its_readings_it_is_told_that_it_cannot_be_switched(
    world: World, http: httpx.AsyncClient
) -> None:
    await world.open(1)
    for state in ("off", "on"):
        await world.desire(1, state)
        alarms = await world.rows("SELECT kind FROM alarm WHERE cleared_at IS NULL")
        assert [one["kind"] for one in alarms] == (["no_relay"] if state == "off" else [])
    await world.desire(2, "off")
    await world.open(2)
    told = [
        (one["installation_id"], one["desired_revision"], one["state"], one["blocked_by"])
        for one in await world.said("supply_reported.v1")
    ]
    assert told == [
        (1, 1, "unknown", "pushed"), (1, 2, "unknown", "pushed"), (2, 3, "unknown", "pushed"),
    ]  # fmt: skip
    assert (await http.get("/v1/meters/2")).json()["supply"]["blocked_by"] == "pushed"
