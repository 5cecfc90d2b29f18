"""What people change over REST is noted: by whom, why, what it was and is."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute
from sqlalchemy import text
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World

from npms_meter_gateway.handlers.record_readings import Readings
from npms_meter_gateway.handlers.watch_serial import note_serial
from npms_shared.clock import ManualClock
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.web.audit_trail_api import AuditEntryResponse

START = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OF_EVERY_SERVICE = ("/v1/parked-messages", "/v1/unroutable-messages")
OF_MACHINES = {"record_readings"}
WHY = "Work order 4711."
REASON = {"reason": WHY}
KWH = {"value": "1000.000", "unit": "kWh"}
FEEDER = {"members": [2], "tolerance_percent": "8", "time_zone": "Africa/Nairobi"}
CSV = "installation_id,taken_at,register_wh\n2,2026-03-02T18:00:00Z,1000100\n"


@dataclass(frozen=True, slots=True)
class Write:
    """A call, and what it leaves: at least these facts."""

    operation: str
    method: str
    path: str
    action: str
    subject: str
    body: dict[str, Any] = field(default_factory=dict)
    before: dict[str, Any] | None = None
    after: dict[str, Any] = field(default_factory=dict)
    status: int = 200


HELD = {"state": "held", "shown_wh": 9_000_000}
WRITES = [
    Write(
        "release_held_reading", "POST", "/v1/held-readings/1/release", "held_reading_released",
        "held-reading:1", REASON, HELD, {"state": "released", "register_wh": 9_000_000},
    ),
    Write(
        "correct_held_reading", "POST", "/v1/held-readings/1/correct", "held_reading_corrected",
        "held-reading:1", {"register": {"value": "1000.200"}, **REASON}, HELD,
        {"state": "corrected", "register_wh": 1_000_200},
    ),
    Write(
        "reject_held_reading", "POST", "/v1/held-readings/1/reject", "held_reading_rejected",
        "held-reading:1", REASON, HELD, {"state": "rejected", "held_ids": [1]},
    ),
    Write(
        "put_feeder", "PUT", "/v1/feeders/1", "feeder_set", "feeder:1", {**FEEDER, **REASON}, None,
        {"members": [2], "tolerance_ppm": 80_000, "time_zone": "Africa/Nairobi"},
    ),
    Write(
        "change_ratio", "POST", "/v1/meters/2/ratios", "ratio_changed", "installation:2",
        {"from": "2026-03-03T12:00:00Z", "ratio": "40", "register": KWH, **REASON},
        {"ratio": "1"}, {"ratio": "40", "register_wh": 1_000_000}, 201,
    ),
    Write(
        "change_gateway", "PATCH", "/v1/gateways/1", "gateway_changed", "gateway:1",
        {"site": "Kiberyo Court", "depth": 1}, {"site": ""}, {"site": "Kiberyo Court"},
    ),
    Write(
        "accept_serial", "POST", "/v1/meters/3/accept-serial", "serial_accepted", "installation:3",
        {"serial_number": "222", **REASON}, {"serial_number": "111"}, {"serial_number": "222"},
    ),
    Write(
        "restore_supply", "POST", "/v1/meters/3/restore-supply", "supply_restored",
        "installation:3", REASON, {"moved": True}, {"moved": False},
    ),
    Write(
        "resume_supply_openings", "POST", "/v1/supply-openings/resume", "supply_openings_resumed",
        "installation:3", REASON, {"stopped_at": "2026-03-03 11:00:00+00:00"}, {"stopped_at": None},
    ),
    Write(
        "import_readings", "POST", "/v1/reading-imports", "readings_imported",
        "reading-import:b02f26b5fb2359b5", after={"lines": 1, "accepted": 1},
    ),
    Write(
        "read_meter", "POST", "/v1/meters/3/read", "meter_read_requested", "installation:3",
        status=503,
    ),
]  # fmt: skip


@pytest.fixture
async def world(database_for: Callable[[str], Awaitable[TestDatabase]]) -> World:
    """A held reading of 1, another meter than the one known at 3, whose relay was moved by hand and
    with which openings were stopped.
    """
    world = World(await database_for("meter-gateway"), ManualClock(START))
    for number in (1, 2):
        await world.open(number)
    meter = MeterConnection(
        serial="R3", profile="hiking_dds238_2_znsr", host="10.20.0.7", port=502, unit_id=1
    )
    await world.open(3, meter=meter)
    await world.desire(3, "off")
    world.clock.advance(timedelta(days=1))
    readings = Readings([1], [int(START.timestamp()) + 900], [9_000_000])
    await world.recorder().record_readings(readings, source="test")
    for serial in ("111", "222"):
        await world.do(note_serial, installation_id=3, account_id=30, serial=serial)
    async with world.database.transaction() as conn:
        await conn.execute(text("UPDATE supply SET moved_at = now() WHERE installation_id = 3"))
        stop = "UPDATE opening_guard SET stopped_at = '2026-03-03T11:00:00Z', stopped_with = 3"
        await conn.execute(text(stop))
    return world


def test_every_route_that_writes_is_listed(http: httpx.AsyncClient) -> None:
    app: Any = http._transport.app  # type: ignore[attr-defined]
    assert isinstance(app, FastAPI)
    writing = {
        route.operation_id
        for route in app.router.routes
        if isinstance(route, APIRoute)
        and not route.methods <= {"GET", "HEAD"}
        and not route.path.startswith(OF_EVERY_SERVICE)
    }
    assert writing - OF_MACHINES == {write.operation for write in WRITES}


@pytest.mark.parametrize("write", WRITES, ids=lambda write: write.action)
async def test_a_write_is_noted(world: World, http: httpx.AsyncClient, write: Write) -> None:
    answering = asyncio.create_task(_give_up_reads(world))
    answer = await _call(http, write)
    answering.cancel()
    with suppress(asyncio.CancelledError):
        await answering
    assert answer.status_code == write.status, answer.text
    [entry] = await _entries(http, action=write.action)
    assert (entry.by_subject, entry.by_roles) == ("amina", ["operator"])
    assert (entry.subject, entry.reason) == (write.subject, write.body.get("reason", ""))
    assert entry.before == write.before
    assert entry.after is not None
    assert write.after.items() <= entry.after.items()


async def test_what_changes_nothing_is_not_noted(world: World, http: httpx.AsyncClient) -> None:
    for _ in range(2):
        await http.patch("/v1/gateways/1", json={"depth": 1})
    query = {"dry_run": "true"}
    await http.post("/v1/reading-imports", content=CSV, params=query, headers=TEXT)
    await http.post("/v1/held-readings/1/release", json={"reason": ""})
    assert await _entries(http) == []


TEXT = {"Content-Type": "text/csv"}


async def _call(http: httpx.AsyncClient, write: Write) -> httpx.Response:
    if write.operation == "import_readings":
        return await http.post(write.path, content=CSV, headers=TEXT)
    return await http.request(write.method, write.path, json=write.body or None, timeout=30)


async def _give_up_reads(world: World) -> None:
    """As a worker does whose gateway cannot be spoken to."""
    gone = """UPDATE read_request SET answer = '{"fault": "lapsed", "detail": "test"}'"""
    while True:
        async with world.database.transaction() as conn:
            await conn.execute(text(gone))
        await asyncio.sleep(0.05)


async def _entries(http: httpx.AsyncClient, **filters: str) -> list[AuditEntryResponse]:
    page = await http.get("/v1/audit-trail", params=filters)
    return [AuditEntryResponse.model_validate(item) for item in page.json()["items"]]
