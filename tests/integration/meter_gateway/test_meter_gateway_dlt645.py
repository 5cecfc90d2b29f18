"""Meters of DL/T 645-2007, several on a line, read and switched over real sockets."""

import asyncio
import os
import random
import tty
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from dlt645.protocol.protocol import DLT645Protocol
from tests.support.databases import TestDatabase
from tests.support.dlt645_line import TRIP, Dlt645Line, Dlt645Meter
from tests.support.gateway_world import (
    PROFILES,
    World,
    operating,
    operation,
)
from tests.support.wait import until
from typer.testing import CliRunner

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.domain.profile import RELAY
from npms_meter_gateway.drivers.dlt645.access import Access
from npms_meter_gateway.drivers.dlt645.framing import Dlt645
from npms_meter_gateway.drivers.driver import Driver, Priority
from npms_meter_gateway.drivers.factory import Drivers
from npms_meter_gateway.drivers.line.bus import Bus
from npms_meter_gateway.drivers.line.errors import BadAnswer, NoAnswer
from npms_operations.meter.cli import app as meter_command
from npms_shared.contracts.ledger import MeterConnection
from npms_shared.messaging.subscriptions import Unprocessable

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
PASSWORD = bytes.fromhex("02563412")
ACCESS = Access(PASSWORD, bytes.fromhex("00000001"))
GENERIC = PROFILES["dlt645_generic"]
QUICK = replace(
    GENERIC,
    limits=replace(GENERIC.limits, timeout_ms=300),
    relay=replace(GENERIC.relay, settle_ms=20),  # type: ignore[type-var]
)
FIRST, SECOND = "000000000161", "202611250002"


def bus_of(line: Dlt645Line) -> Bus:
    gateway = Gateway("127.0.0.1", line.port, transport="rtu_over_tcp", late_window_ms=50)
    return Drivers().bus(gateway, "dlt645")


def driver_of(bus: Bus, number: str) -> Driver:
    return Drivers(dlt645=ACCESS).driver(bus, QUICK, serial=number, unit_id=1)


async def energy(driver: Driver) -> int:
    shown = await driver.read({"energy_import_wh"}, Priority.BILLING)
    return int(shown.values["energy_import_wh"])


async def test_meters_on_a_line_are_read_by_their_numbers() -> None:
    meters = (Dlt645Meter(FIRST, register_kwh=0.26), Dlt645Meter(SECOND, register_kwh=123456.78))
    async with Dlt645Line(*meters) as line:
        bus = bus_of(line)
        one, two = driver_of(bus, FIRST), driver_of(bus, SECOND)
        found = await asyncio.gather(*(energy(d) for d in (one, two) * 50))
        assert found == [260, 123_456_780] * 50
        shown = await two.read({*QUICK.points, RELAY}, Priority.BILLING)
        assert shown.relay == "on"
        assert (shown.values["voltage_v"], shown.values["power_w"]) == (230.5, 500)
        await bus.close()


async def test_a_point_that_a_meter_has_not_is_dropped_and_not_asked_again() -> None:
    async with Dlt645Line(Dlt645Meter(FIRST)) as line:
        bus = bus_of(line)
        meter = driver_of(bus, FIRST)
        del line.meters[161].service.data_map[0x02800002]
        shown = await meter.read({"frequency_hz", "voltage_v"}, Priority.SLOW)
        assert (list(shown.values), meter.refused) == (["voltage_v"], ["frequency_hz"])
        asked = line.asked
        await meter.read({"frequency_hz", "voltage_v"}, Priority.SLOW)
        assert line.asked == asked + 1
        await bus.close()


async def test_another_meter_s_answer_and_silence_are_never_a_value() -> None:
    async with Dlt645Line(Dlt645Meter(FIRST, register_kwh=5.0), Dlt645Meter(SECOND)) as line:
        bus = bus_of(line)
        meter = driver_of(bus, FIRST)
        body = bytes.fromhex("91 00000100 99000000")
        for foreign, cause in (
            (Dlt645().wrap(0, int(SECOND), body), "wrong_unit"),
            (Dlt645().wrap(0, 161, body)[:-2] + b"\x00\x16", "bad_checksum"),
            (Dlt645().wrap(0, 161, body[:1] + b"\0\0\2\0" + body[5:]), "wrong_echo"),
            (Dlt645().wrap(0, 161, body) * 2, "surplus"),
        ):
            line.foreign = foreign
            with pytest.raises(BadAnswer) as caught:
                await energy(meter)
            assert caught.value.cause == cause
            assert await energy(meter) == 5000
        with pytest.raises(NoAnswer):
            await energy(driver_of(bus, "999"))
        assert await energy(meter) == 5000
        await bus.close()


async def test_the_command_line_shows_a_meter_by_its_number() -> None:
    async with Dlt645Line(Dlt645Meter(SECOND, register_kwh=12.34)) as line:
        words = ["read", "127.0.0.1", "1", "--port", str(line.port), "--profile", "dlt645_generic"]

        def run(*more: str) -> Any:
            return CliRunner().invoke(meter_command, [*words, *more])

        shown = await asyncio.to_thread(run, "--serial", SECOND)
        assert shown.exit_code == 0, shown.output
        assert "12340" in shown.output
        assert "data 00010000 bcd32" in shown.output
        assert "relay: on" in shown.output
        refused = await asyncio.to_thread(run)
        assert "no DL/T 645 address" in str(refused.exception)


async def test_no_late_answer_is_taken_for_a_later_reading() -> None:
    """The register moves with each request; a frame does not say which request it answers."""
    rolls, late = random.Random(7), 0
    meter = Dlt645Meter(FIRST)
    hurried = replace(QUICK, limits=replace(QUICK.limits, timeout_ms=60))
    async with Dlt645Line(meter) as line:
        line.late_s = lambda: 0.1 if rolls.random() < 0.1 else 0.0
        bus = bus_of(line)
        driver = Drivers(dlt645=ACCESS).driver(bus, hurried, serial=FIRST, unit_id=1)
        for number in range(1, 201):
            meter.register_kwh = number / 100
            try:
                assert await energy(driver) == number * 10
            except NoAnswer:
                late += 1
        await bus.close()
    assert 5 < late < 100


async def test_meters_on_a_serial_device_are_read_too() -> None:
    near, far = os.openpty()
    tty.setraw(near)
    tty.setraw(far)
    line = Dlt645Line(Dlt645Meter(FIRST, register_kwh=7.0), Dlt645Meter(SECOND, register_kwh=8.0))
    loop, rest = asyncio.get_running_loop(), b""

    def answer() -> None:
        nonlocal rest
        rest, frame = DLT645Protocol.deserialize_with_remaining(rest + os.read(near, 1024))
        if frame is not None and (bytes_back := line.answer(frame)):
            os.write(near, bytes_back)

    loop.add_reader(near, answer)
    gateway = Gateway("", 1, transport="serial", device=os.ttyname(far), late_window_ms=20)
    bus = Drivers().bus(gateway, "dlt645")
    try:
        found = [await energy(driver_of(bus, number)) for number in (FIRST, SECOND) * 10]
        assert found == [7000, 8000] * 10
        with pytest.raises(NoAnswer):
            await energy(driver_of(bus, "999"))
        assert await energy(driver_of(bus, SECOND)) == 8000
    finally:
        await bus.close()
        loop.remove_reader(near)
        os.close(near)
        os.close(far)


async def open_on(world: World, line: Dlt645Line, installation_id: int, number: str) -> None:
    meter = MeterConnection(
        serial=number,
        profile="dlt645_generic",
        host="127.0.0.1",
        port=line.port,
        unit_id=installation_id,
    )
    opened_at = world.clock.now() - timedelta(hours=1)
    await world.open(
        installation_id, meter=meter, opening_register_wh=1_000_000, opened_at=opened_at
    )


async def test_meters_are_billed_and_switched_by_what_is_read_back(world: World) -> None:
    good, deaf = Dlt645Meter(FIRST, PASSWORD), Dlt645Meter(SECOND, PASSWORD, acts=False)
    operates = replace(
        operation(world, profiles={**PROFILES, "dlt645_generic": QUICK}),
        drivers=Drivers(dlt645=ACCESS),
    )
    async with Dlt645Line(good, deaf) as line:
        await open_on(world, line, 1, FIRST)
        await open_on(world, line, 2, SECOND)
        async with operating(operates):
            good.register_kwh = 1000.25

            async def billed() -> bool:
                return 1_000_250 in await world.registers(1)

            await until(billed)
            revision = await world.desire(1, "off")
            await world.desire(2, "off")

            async def switched() -> bool:
                return ("off", revision, True) in await world.reported(1)

            await until(switched)
            assert not good.is_closed
            assert good.commands[0][:10] == PASSWORD + bytes.fromhex("00000001") + bytes([TRIP, 0])
            assert len(good.commands) == 1

            async def alarmed() -> bool:
                return "relay_stuck" in await world.events(2)

            await until(alarmed, what="an acknowledged command that did nothing is found")
            assert all(state == "on" for state, _, _ in await world.reported(2))


async def test_a_wrong_password_switches_nothing_and_is_told(world: World) -> None:
    meter = Dlt645Meter(FIRST, bytes.fromhex("02000000"))
    operates = replace(
        operation(world, profiles={**PROFILES, "dlt645_generic": QUICK}),
        drivers=Drivers(dlt645=ACCESS),
    )
    async with Dlt645Line(meter) as line:
        await open_on(world, line, 1, FIRST)
        async with operating(operates):
            await world.desire(1, "off")

            async def alarmed() -> bool:
                return "relay_stuck" in await world.events(1)

            await until(alarmed)
            assert meter.is_closed


async def test_a_relay_that_the_customer_closes_is_seen_armed_until_then() -> None:
    assert QUICK.relay is not None
    by_hand = replace(QUICK, relay=replace(QUICK.relay, local_reclose=True))
    meter = Dlt645Meter(FIRST, PASSWORD)
    async with Dlt645Line(meter) as line:
        bus = bus_of(line)
        driver = Drivers(dlt645=ACCESS).driver(bus, by_hand, serial=FIRST, unit_id=1)
        seen = []
        for act in (lambda: driver.switch("off"), lambda: driver.switch("on")):
            await act()
            shown = await driver.read({RELAY}, Priority.READ_BACK)
            seen.append((shown.relay, shown.armed))
        meter.press()
        shown = await driver.read({RELAY}, Priority.READ_BACK)
        seen.append((shown.relay, shown.armed))
        assert seen == [("off", False), ("off", True), ("on", False)]
        await bus.close()


async def test_a_serial_that_is_no_number_is_not_opened(world: World) -> None:
    async with Dlt645Line() as line:
        with pytest.raises(Unprocessable, match="bad_serial"):
            await open_on(world, line, 1, "M1")
