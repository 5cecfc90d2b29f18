"""A meter that answers with another's serial number is never switched."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
from tests.support.databases import TestDatabase
from tests.support.gateway_world import PROFILES, World
from tests.support.relay_meter import SERIAL_NUMBER, RelayMeter, socket_of
from tests.support.switch_world import PATIENT, Interrupted, Rig, rig

from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.line import modbus_bus
from npms_meter_gateway.handlers.suspect_meter import suspect_meter
from npms_meter_gateway.handlers.watch_serial import note_serial

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
OTHER = 41_185_206


async def accept(http: httpx.AsyncClient, serial: int) -> None:
    body = {"serial_number": str(serial), "reason": "Exchanged under work order 4711."}
    answer = await http.post("/v1/meters/1/accept-serial", json=body)
    assert answer.status_code == 200, answer.text


async def test_the_relay_of_a_meter_that_tells_anothers_serial_is_not_touched_until_accepted(
    world: World, http: httpx.AsyncClient
) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt("plain") == "switched"
        meter.serial_number, meter.shows_on = OTHER, True
        await world.desire(1, "on")
        await world.desire(1, "off")
        assert await line.attempt("plain") == "suspect"
        assert await line.attempt("plain") == "suspect"
        assert meter.pulses == ["off"], "the neighbour's relay stays as it is"
        assert await world.open_alarms() == ["serial_changed"]
        assert await line.blocked() == [("off", ""), ("unknown", "suspect")], "told once"
        assert await line.lives() == [("off", "confirmed"), ("off", "abandoned")]
        shown = (await http.get("/v1/meters/1")).json()
        assert shown["supply"]["blocked_by"] == "suspect"
        await world.desire(1, "on")
        await world.desire(1, "off")
        assert await line.attempt("plain") == "suspect"
        assert await line.blocked() == [
            ("off", ""), ("unknown", "suspect"), ("unknown", "suspect"),
        ], "and once for every further revision"  # fmt: skip
        await accept(http, OTHER)
        assert await line.attempt("plain") == "switched"
        assert (await line.blocked())[-1] == ("off", "")
        assert await world.open_alarms() == []
    assert meter.pulses == ["off", "off"]


async def test_a_settled_supply_is_not_vouched_for_by_another_meter(
    world: World, http: httpx.AsyncClient
) -> None:
    """Its state is unknown from the suspicion on, and true again when the known one is back."""
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt("plain") == "switched"
        async with world.database.transaction() as conn:
            await suspect_meter(conn, world.context(), 1, detail=f"{OTHER} answers")
        assert await line.attempt("plain") == "suspect"
        assert (await line.blocked())[-1] == ("unknown", "suspect")
        meter.serial_number = OTHER
        await _poll_serial(line)
        meter.serial_number = SERIAL_NUMBER
        await _poll_serial(line)
        assert await line.attempt("plain") == "in_place"
        assert (await line.blocked())[-1] == ("off", "")
        assert (await http.get("/v1/meters/1")).json()["supply"]["blocked_by"] == ""


async def _poll_serial(line: Rig) -> None:
    told = await line.unit(1, "plain").serial_number()
    assert told is not None
    await line.world.do(note_serial, installation_id=1, account_id=10, serial=told)


async def test_the_first_serial_seen_is_held_against_the_one_given_at_the_opening(
    world: World, http: httpx.AsyncClient
) -> None:
    meters = {1: RelayMeter("plain", serial_number=OTHER), 2: RelayMeter("plain")}
    given = {1: "4711", 2: f"00{SERIAL_NUMBER}"}
    async with rig(world, {}) as empty, socket_of(meters) as port:
        bus = modbus_bus(Gateway("127.0.0.1", port))
        line = replace(empty, bus=bus, port=port)
        for number, serial in given.items():
            await line.open(number, "plain", serial)
            await world.desire(number, "off")
        assert await line.attempt("plain", 1) == "suspect"
        assert await line.attempt("plain", 2) == "switched"
        assert await world.open_alarms() == ["serial_changed"]
        (alarm,) = await world.rows("SELECT detail FROM alarm")
        assert alarm["detail"] == f"{OTHER} answers, 4711 is known"
        assert (meters[1].pulses, meters[2].pulses) == ([], ["off"])
        await accept(http, OTHER)
        assert await line.attempt("plain", 1) == "switched"
        await bus.close()


async def test_a_command_does_not_leave_once_another_process_has_seen_another_meter(
    world: World,
) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        profile = PROFILES["test_plain"]
        unit = Interrupted(ModbusDriver(line.bus, 1, profile), profile, PATIENT)

        async def suspected() -> None:
            async with world.database.transaction() as conn:
                await suspect_meter(conn, world.context(), 1, detail=f"{OTHER} answers")

        unit.meanwhile = suspected
        assert await line.attempt("plain", unit=unit) == "superseded"
        assert await line.attempt("plain") == "suspect"
    assert meter.pulses == []
