"""Faults on real sockets, from a plan and by hand; and that a seed repeats them."""

import asyncio
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from pymodbus.client import AsyncModbusTcpClient
from pymodbus.framer import FramerType

from npms_shared.clock import ManualClock
from npms_tools.stack.errors import StackError
from npms_tools.street.control import control_app
from npms_tools.street.fault_plan import FaultPlan, load_plan
from npms_tools.street.faults import Faults
from npms_tools.street.framing import crc16
from npms_tools.street.journal import Journal
from npms_tools.street.meter import WMS_PER_WH, Meter
from npms_tools.street.modbus_server import Line
from npms_tools.street.register_map import shipped_profiles
from npms_tools.street.street import Plan, Street, build_street

START = datetime(2026, 3, 2, 17, 0, tzinfo=UTC)
HIKING = "hiking_dds238_2_znsr"
READ_IMPORT = bytes([3, 0, 0x0A, 0, 2])


@asynccontextmanager
async def running(
    plan: Plan, trouble: FaultPlan | None = None, line: Line | None = None
) -> AsyncIterator[tuple[Street, ManualClock]]:
    clock = ManualClock(START)
    street = build_street(plan, clock, journal=Journal(keeps_shown=True))
    street._line = line or street._line
    await street.start()
    street.trouble(trouble or FaultPlan())
    await street.unrest.work(street.now_ms())
    try:
        yield street, clock
    finally:
        for client in Client.opened:
            client.writer.close()
        Client.opened.clear()
        await street.stop()


def small(**changes: object) -> Plan:
    plan = Plan(meters=3, gateways=1, port_base=0, profiles=(HIKING,))
    return replace(plan, **changes)  # type: ignore[arg-type]


class Client:
    """Bytes on a socket, as they are; closed when the street is."""

    opened: ClassVar[list["Client"]] = []

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader, self.writer = reader, writer
        self.opened.append(self)

    @classmethod
    async def of(cls, meter: Meter) -> "Client":
        return cls(*await asyncio.open_connection(meter.host, meter.port))

    async def ask(self, unit: int, pdu: bytes, transaction: int = 7) -> bytes:
        self.writer.write(struct.pack(">HHHB", transaction, 0, len(pdu) + 1, unit) + pdu)
        return await self.frame()

    async def frame(self) -> bytes:
        async with asyncio.timeout(2):
            head = await self.reader.readexactly(6)
            return head + await self.reader.readexactly(struct.unpack(">H", head[4:])[0])

    async def is_silent(self) -> bool:
        try:
            async with asyncio.timeout(0.05):
                return not await self.reader.read(1)
        except TimeoutError:
            return True


def u32(frame: bytes) -> int:
    return int.from_bytes(frame[9:13], "big")


async def test_several_requests_in_a_segment_are_answered_in_one_write() -> None:
    async with running(small()) as (street, _):
        meter = street.meters["SIM00001"]
        client = await Client.of(meter)
        requests = [struct.pack(">HHHB", n, 0, 6, 1 + n % 3) + READ_IMPORT for n in range(40)]
        client.writer.write(b"".join(requests) + requests[0][:5])
        async with asyncio.timeout(2):
            data = await client.reader.readexactly(40 * 13)
        assert [data[n * 13 + 1] for n in range(40)] == [*range(40)]
        assert await client.is_silent()
        client.writer.write(requests[0][5:])
        assert (await client.frame())[:2] == b"\x00\x00"


async def test_rtu_frames_are_served_as_another_library_makes_them() -> None:
    assert crc16(bytes.fromhex("010300000002")) == 0x0BC4
    plan = small(transport="rtu_over_tcp")
    async with running(plan) as (street, _):
        meter = street.meters["SIM00002"]
        assert meter.transport == "rtu_over_tcp"
        client = AsyncModbusTcpClient(meter.host, port=meter.port, framer=FramerType.RTU)
        await client.connect()
        answer = await client.read_holding_registers(0x0A, count=2, device_id=meter.unit_id)
        assert (answer.registers[0] << 16) + answer.registers[1] == meter.register_wh // 10
        await client.write_registers(0x1A, [0], device_id=meter.unit_id)
        assert not meter.relay_on
        client.close()


async def test_mixed_gateways_speak_in_turn() -> None:
    async with running(small(gateways=2, transport="mixed")) as (street, _):
        assert {m.transport for m in street.meters.values()} == {"modbus_tcp", "rtu_over_tcp"}


@pytest.mark.parametrize("profile", shipped_profiles())
async def test_every_shipped_profile_shows_its_energy(profile: str) -> None:
    async with running(small(meters=1, profiles=(profile,))) as (street, _):
        meter = street.meters["SIM00001"]
        slot = meter.map.slot("energy_import_wh")
        assert slot is not None
        words = meter.read(slot.table, slot.address, slot.end - slot.address)
        shown = street.journal.shown[-1]
        assert any(words)
        assert abs(shown.shown_wh - meter.register_wh) <= max(meter.map.resolution_wh, 100)


async def test_each_fault_of_the_line_looks_as_it_is_called() -> None:
    async with running(small()) as (street, _):
        meter = street.meters["SIM00001"]
        good = await (client := await Client.of(meter)).ask(1, READ_IMPORT)
        for faults, wrong in (
            (Faults(wrong_transaction=1), good[:1] + b"\x06" + good[2:]),
            (Faults(wrong_unit=1), good[:6] + b"\x02" + good[7:]),
            (Faults(corrupt=1), good[:2] + b"\x00\x07" + good[4:]),
            (Faults(exception=1, exception_code=6), good[:4] + b"\x00\x03\x01\x83\x06"),
            (Faults(short=1), good[:4] + b"\x00\x05\x01\x03\x02" + good[9:11]),
            (Faults(split=1), good),
        ):
            meter.faults = faults
            assert await client.ask(1, READ_IMPORT) == wrong
        meter.faults = Faults(glued=1)
        assert await client.ask(1, READ_IMPORT) == await client.frame() == good
        meter.faults = Faults(partial=1)
        client.writer.write(good[:4] + b"\x00\x06\x01" + READ_IMPORT)
        assert await client.reader.readexactly(len(good) // 2) == good[: len(good) // 2]
        assert await client.is_silent()
        for end, seen in (("close", b""), ("reset", None)):
            meter.faults = Faults(**{end: 1})
            gone = await Client.of(meter)
            gone.writer.write(good[:4] + b"\x00\x06\x01" + READ_IMPORT)
            if seen is None:
                with pytest.raises(ConnectionResetError):
                    await gone.reader.read()
            else:
                assert await gone.reader.read() == seen
    told = [entry["fault"] for entry in street.journal.told(subject="SIM00001")]
    assert told[:4] == ["wrong_transaction", "wrong_unit", "corrupt", "exception"]
    assert told[-2:] == ["close", "reset"]


async def test_values_that_are_wrong_are_in_the_journal_with_the_true_ones() -> None:
    async with running(small()) as (street, clock):
        meter = street.meters["SIM00001"]
        meter.load_w = 36_000
        client = await Client.of(meter)
        true = meter.register_wh // 10 * 10
        meter.faults = Faults(spike=1, spike_wh=9_113_000)
        assert u32(await client.ask(1, READ_IMPORT)) * 10 == true + 9_113_000
        meter.faults = Faults(jitter=1)
        assert u32(await client.ask(1, READ_IMPORT)) * 10 == true - 10
        meter.faults = Faults(nan=1)
        assert u32(await client.ask(1, READ_IMPORT)) * 10 == true, "it has no way to say so"
        meter.faults = Faults(frozen=2)
        for _ in range(2):
            assert u32(await client.ask(1, READ_IMPORT)) * 10 == true
            clock.advance(timedelta(seconds=10))
        assert u32(await client.ask(1, READ_IMPORT)) * 10 >= true + 190
        seen = [(e.fault, e.shown_wh >= e.true_wh) for e in street.journal.shown]
        assert [fault for fault, _ in seen] == ["spike", "jitter", "", "frozen", "frozen", ""]


async def test_not_a_number_is_said_by_meters_that_can() -> None:
    async with running(small(profiles=("eastron_sdm120",))) as (street, _):
        meter = street.meters["SIM00001"]
        meter.faults = Faults(nan=1)
        assert meter.read("input", 0x48, 2) == [0x7FC0, 0]
        assert not street.journal.shown
        assert meter.read("input", 0x48, 2) != [0x7FC0, 0]


async def test_a_serial_line_takes_its_time_and_is_one_for_all() -> None:
    async with running(small(), line=Line(9600, turnaround_ms=20)) as (street, _):
        meter = street.meters["SIM00001"]
        loop = asyncio.get_running_loop()
        clients = [await Client.of(meter) for _ in range(3)]
        began = loop.time()
        await asyncio.gather(*(client.ask(n, READ_IMPORT) for n, client in enumerate(clients, 1)))
        one_s = Line(9600, turnaround_ms=20).takes_s(8, 13)
        assert loop.time() - began >= 3 * one_s


async def test_a_gateway_bears_so_many_clients() -> None:
    async with running(small(max_clients=1)) as (street, _):
        meter = street.meters["SIM00001"]
        first, second = await Client.of(meter), await Client.of(meter)
        await first.ask(1, READ_IMPORT)
        assert await second.reader.read() == b""
        await first.ask(1, READ_IMPORT)


PLAN = """
seed: 8
faults:
  - {fault: silent, share: 0.3, chance: 0.5}
  - {fault: exception, meters: [SIM00001], code: 6, count: 2}
  - {fault: near_rollover, profiles: [hiking_dds238_2_znsr], share: 0.5, by_wh: 100}
  - {fault: cleared, share: 0.2, after_s: 60}
  - {fault: gateway_mute, after_s: 10, until_s: 20}
  - {fault: gateway_refuses, share: 1, after_s: 30, until_s: 40}
"""


@pytest.fixture
def plan(tmp_path: Path) -> FaultPlan:
    file = tmp_path / "street.yaml"
    file.write_text(PLAN)
    return load_plan(file)


async def test_a_plan_is_drawn_and_strikes_the_same_at_every_run(plan: FaultPlan) -> None:
    async def run(of: FaultPlan) -> list[tuple[str, str]]:
        async with running(small(meters=60, gateways=3), of) as (street, _):
            for meter in street.meters.values():
                for _ in range(10):
                    meter.strikes("silent")
            return [(entry.subject, entry.fault) for entry in street.journal.faults]

    first, again = await run(plan), await run(plan)
    other = await run(plan.model_copy(update={"seed": 9}))
    assert first == again != other
    silent = [subject for subject, fault in first if fault == "silent"]
    assert 9 <= len(set(silent)) <= 27
    assert 50 <= len(silent) <= 130


async def test_a_plans_times_begin_and_end_its_faults(plan: FaultPlan) -> None:
    async with running(small(meters=60, gateways=3), plan) as (street, clock):
        meter = street.meters["SIM00007"]
        modulus = meter.map.rollover_wh
        assert modulus is not None
        turning = [one for one in street.meters.values() if one.register_wh == modulus - 100]
        assert 15 <= len(turning) <= 45

        async def after(seconds: int) -> None:
            clock.advance(timedelta(seconds=seconds))
            await street.unrest.work(street.now_ms())

        await after(10)
        client = await Client.of(meter)
        client.writer.write(struct.pack(">HHHB", 1, 0, 6, meter.unit_id) + READ_IMPORT)
        assert await client.is_silent()
        await after(10)
        assert await client.ask(meter.unit_id, READ_IMPORT)
        await after(10)
        with pytest.raises(ConnectionRefusedError):
            await Client.of(meter)
        await after(10)
        await Client.of(meter)
        await after(30)
        cleared = [one for one in street.meters.values() if one.register_wh < 1000]
        assert 1 <= len(cleared) <= 20
        assert not set(map(id, cleared)) & set(map(id, turning)), "nobody could tell the two apart"
        told = {entry["fault"] for entry in street.journal.told()}
        assert {"cleared", "near_rollover", "gateway_mute", "gateway_refuses"} <= told
        for one in cleared:
            assert one.counted_wms + one.cleared_wms > 90_000 * WMS_PER_WH


async def test_calm_takes_everything_away_over_rest(plan: FaultPlan) -> None:
    async with running(small(gateways=1)) as (street, clock):
        transport = httpx.ASGITransport(control_app(street))
        async with httpx.AsyncClient(transport=transport, base_url="http://street") as http:
            put = await http.post("/faults", json=plan.model_dump())
            assert put.json() == 6
            clock.advance(timedelta(seconds=35))
            await street.unrest.work(street.now_ms())
            meter = street.meters["SIM00001"]
            with pytest.raises(ConnectionRefusedError):
                await Client.of(meter)
            counts = (await http.delete("/faults")).json()
            assert counts["gateway_refuses"] == 2, "begun and over"
            client = await Client.of(meter)
            for _ in range(5):
                assert (await client.ask(1, READ_IMPORT))[7] == 3
            log = (await http.get("/faults/log", params={"subject": "SIM00001"})).json()
            assert log["items"] == [one for one in log["items"] if one["subject"] == "SIM00001"]
            shown = (await http.get("/shown", params={"serial": "SIM00001"})).json()
            assert len(shown) == 5
            await http.post("/load", json={"power_w": 0})
            assert {m.power_w for m in street.meters.values()} == {0}


@pytest.mark.parametrize(
    ("content", "place"),
    [
        ("faults: [{fault: tired}]", "faults.0.fault"),
        ("faults: [{fault: late, share: 2}]", "faults.0.share"),
        ("faults: [{fault: late, chance_: 1}]", "faults.0.chance_"),
        ("faults: [{fault: gateway_mute}]", "never ends"),
        ("faults: [{fault: late, for_s: 5}]", "for_s needs every_s"),
        ("faults: [{fault: late, after_s: 9, until_s: 5}]", "until_s"),
        ("faults: {", "line 1"),
    ],
)
def test_a_plan_that_cannot_be_says_where(tmp_path: Path, content: str, place: str) -> None:
    file = tmp_path / "bad.yaml"
    file.write_text(content)
    with pytest.raises(StackError, match="bad") as told:
        load_plan(file)
    assert place in str(told.value)
