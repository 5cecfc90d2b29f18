from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.modbus import Asker

from npms_meter_gateway.drivers.line.errors import LinkFault, NotConnected, Refused
from npms_meter_gateway.drivers.modbus.pdus import Read, WriteCoil, WriteRegisters
from npms_shared.clock import ManualClock
from npms_tools.street.control import control_app
from npms_tools.street.homes import Shaped
from npms_tools.street.households import SHAPES, draw_w
from npms_tools.street.meter import WMS_PER_WH, Meter
from npms_tools.street.register_map import load_map
from npms_tools.street.street import Plan, Street, build_street

START = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
HIKING, COIL, NONE = "hiking_dds238_2_znsr", "eastron_sdm320c", "eastron_sdm120"


def meter(profile: str = HIKING, **changes: object) -> Meter:
    values = {
        "serial": "SIM1",
        "map": load_map(profile),
        "host": "127.0.0.1",
        "port": 0,
        "unit_id": 1,
        "home": Shaped("family", 1),
        "seed": 1,
        "counted_wms": 1_000_000 * WMS_PER_WH,
        "at_ms": int(START.timestamp() * 1000),
        **changes,
    }
    return Meter(**values)  # type: ignore[arg-type]


@asynccontextmanager
async def running(street: Street) -> AsyncIterator[Street]:
    await street.start()
    try:
        yield street
    finally:
        await street.stop()


async def connect(of: Meter) -> Asker:
    return await Asker.open(of.host, of.port)


@given(st.lists(st.integers(1, 10_000_000), max_size=20))
def test_how_often_a_meter_is_looked_at_does_not_change_it(steps_ms: list[int]) -> None:
    often, once = meter(), meter()
    for step in steps_ms:
        often.advance(often.at_ms + step)
    once.advance(often.at_ms)
    assert often.counted_wms == once.counted_wms


def test_a_constant_load_is_counted_exactly() -> None:
    home = meter(load_w=3600)
    home.advance(home.at_ms + 1_000)
    assert home.register_wh == 1_000_001
    home.switch(on=False)
    home.advance(home.at_ms + 3_600_000)
    assert home.register_wh == 1_000_001
    assert home.power_w == 0


def test_households_draw_in_their_shape_and_the_same_every_time() -> None:
    evening = [draw_w("family", seed, int(START.timestamp()) + 9000) for seed in range(300)]
    night = [draw_w("family", seed, int(START.timestamp()) + 9 * 3600) for seed in range(300)]
    assert sum(evening) > 3 * sum(night)
    assert evening == [draw_w("family", s, int(START.timestamp()) + 9000) for s in range(300)]
    assert max(draw_w(kind, 1, t) for kind in SHAPES for t in range(0, 86_400, 300)) < 9_200


@given(st.fractions(0, 10**9))
def test_registers_are_cut_down_to_what_the_meter_counts(wh: Fraction) -> None:
    slot = next(s for s in load_map(HIKING).slots if s.name == "energy_import_wh")
    high, low = slot.encode(wh)
    assert (high << 16) + low == wh // 10


def test_the_street_is_the_same_at_every_start_and_keeps_its_registers(tmp_path: Path) -> None:
    clock, state = ManualClock(START), tmp_path / "street.json"
    street = build_street(Plan(), clock, state)
    assert len(street.meters) == 24
    assert len({(m.port, m.unit_id) for m in street.meters.values()}) == 24
    assert {m.map.profile for m in street.meters.values()} == {HIKING, COIL, NONE}
    clock.advance(timedelta(hours=3))
    street.advance()
    street.meters["SIM00001"].relay_on = False
    street.save()
    clock.advance(timedelta(days=1))
    again = build_street(Plan(), clock, state)
    for serial, before in street.meters.items():
        after = again.meters[serial]
        assert (after.counted_wms, after.relay_on) == (before.counted_wms, before.relay_on)
        assert (after.map.profile, after.unit_id) == (before.map.profile, before.unit_id)


async def test_relays_of_both_kinds_stop_the_register() -> None:
    clock = ManualClock(START)
    street = build_street(Plan(meters=3, gateways=1, port_base=0), clock)
    async with running(street):
        by_profile = {m.map.profile: m for m in street.meters.values()}
        connection = await connect(by_profile[HIKING])
        for profile, write, back in (
            (HIKING, WriteRegisters(0x1A, (0,)), Read("holding", 0x1A, 1)),
            (COIL, WriteCoil(0, is_on=False), Read("coil", 0, 1)),
        ):
            home = by_profile[profile]
            assert await connection.ask(home.unit_id, back, timeout_s=2) == (1,)
            await connection.ask(home.unit_id, write, timeout_s=2)
            assert await connection.ask(home.unit_id, back, timeout_s=2) == (0,)
            before = home.register_wh
            clock.advance(timedelta(hours=1))
            home.advance(street.now_ms())
            assert (home.register_wh, home.power_w) == (before, 0)
        with pytest.raises(Refused):
            await connection.ask(by_profile[NONE].unit_id, WriteRegisters(0x1A, (0,)), timeout_s=2)
        with pytest.raises(Refused):
            await connection.ask(200, Read("holding", 0, 1), timeout_s=2)
        with pytest.raises(Refused):
            await connection.ask(by_profile[NONE].unit_id, Read("input", 1, 2), timeout_s=2)
        connection.close()


async def test_the_control_interface_steers(tmp_path: Path) -> None:
    street = build_street(Plan(meters=2, gateways=1, port_base=0), ManualClock(START))
    transport = httpx.ASGITransport(control_app(street))
    async with running(street), httpx.AsyncClient(transport=transport, base_url="http://s") as http:
        meters = (await http.get("/meters")).json()
        assert {"serial", "host", "port", "unit_id", "register_wh", "relay"} <= meters[0].keys()
        serial = meters[0]["serial"]
        home = street.meters[serial]
        answer = await http.post(f"/meters/{serial}/load", json={"power_w": 2500})
        assert answer.json()["power_w"] == 2500
        await http.post(f"/meters/{serial}/register", json={"register_wh": 42})
        assert (await http.get(f"/meters/{serial}")).json()["register_wh"] == 42
        await http.post(f"/meters/{serial}/relay", json={"state": "off"})
        assert not home.relay_on
        await http.post(f"/meters/{serial}/faults", json={"kind": "silent", "count": 1})
        connection = await connect(home)
        with pytest.raises(LinkFault):
            await connection.ask(home.unit_id, Read("holding", 0, 1), timeout_s=0.05)
        await http.post(f"/meters/{serial}/faults", json={"kind": "exception", "code": 6})
        connection = await connect(home)
        with pytest.raises(Refused, match="0x06"):
            await connection.ask(home.unit_id, Read("holding", 0, 1), timeout_s=2)
        connection.close()
        await http.delete(f"/meters/{serial}/faults")
        assert (await http.get("/meters/nobody")).status_code == 404
        down = {"host": home.host, "port": home.port, "up": False}
        assert (await http.post("/gateways", json=down)).status_code == 200
        with pytest.raises(NotConnected):
            await connect(home)
        await http.post("/gateways", json={**down, "up": True})
        connection = await connect(home)
        connection.close()
