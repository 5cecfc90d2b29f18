"""The switch against a model of a relay, of every idiom, under whatever befalls it."""

import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.databases import TestDatabase
from tests.support.gateway_world import PROFILES, World
from tests.support.relay_meter import LOAD_W, SILENCE, RelayMeter
from tests.support.switch_world import PATIENT, QUICK, Rig

from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import NoAnswer
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.pdus import Request
from npms_meter_gateway.handlers.note_sights import MeterSight, note_sights
from npms_meter_gateway.polling.unit import Unit

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
COMMANDED = ("plain", "coil", "keyed", "timed", "arming")
FAULTS = (
    "lose_ack", "stick", "weld", "mend", "silence", "hear", "hand_on", "hand_off", "run_out",
    "press", "no_load", "load", "kill_before", "kill_after",
)  # fmt: skip
STEPS = st.lists(
    st.sampled_from(("on", "off", "attempt", "attempt", "attempt", "poll", *FAULTS)), max_size=25
)
NUMBERS = itertools.count(1)


class Killed(BaseException):
    """The process ends here."""


@dataclass
class ModelLine:
    """Bytes to the meter and back, as a bus would bring them."""

    meter: RelayMeter

    async def ask(
        self, _unit_id: int, request: Request, *, timeout_s: float, priority: Priority
    ) -> tuple[int, ...]:
        answer = self.meter.answer(request.encode())
        if answer == SILENCE:
            raise NoAnswer(f"nothing in {timeout_s} s at {priority}")
        return request.decode(answer)


class KillingDriver(ModbusDriver):
    kill = ""

    async def switch(self, state: State) -> None:
        if self.kill == "kill_before":
            raise Killed
        await super().switch(state)
        if self.kill == "kill_after":
            raise Killed


@dataclass
class Play:
    """One meter, one supply; keeps what must hold after every step."""

    rig: Rig
    number: int
    meter: RelayMeter
    desired: State = "on"
    revision: int = 0
    kill: str = ""
    disturbed: int = 0
    pulses_before: int = 0
    attempted: list[str] = field(default_factory=list)

    async def step(self, name: str) -> None:
        if name in {"on", "off"}:
            await self.desire(name)  # type: ignore[arg-type]
        elif name == "attempt":
            await self.attempt()
        elif name == "poll":
            await self.poll()
        else:
            self.disturbed += 1
            self.befall(name)

    def befall(self, name: str) -> None:
        meter = self.meter
        match name:
            case "lose_ack":
                meter.lost_acks += 1
            case "stick":
                meter.stuck += 1
            case "weld" | "mend":
                meter.welded = name == "weld"
            case "silence" | "hear":
                meter.silent = name == "silence"
            case "hand_on" | "hand_off":
                meter.move(on=name == "hand_on")
            case "run_out":
                meter.advance(700)
            case "press":
                meter.press()
            case "no_load" | "load":
                meter.load_w = LOAD_W if name == "load" else 0
            case _:
                self.kill = name

    async def desire(self, state: State) -> None:
        self.desired = state
        self.revision = await self.rig.world.desire(self.number, state)
        self.disturbed = int(self.meter.welded or self.meter.silent or self.meter.stuck > 0)
        self.pulses_before = len(self.meter.pulses)

    async def attempt(self) -> str:
        """One attempt of a fresh process, and what must hold after it."""
        sent = len(self.meter.pulses)
        profile = PROFILES[f"test_{self.meter.idiom}"]
        driver = KillingDriver(self.rig.bus, self.number, profile)
        driver.kill, self.kill = self.kill, ""
        try:
            outcome = await self.rig.attempt(
                self.meter.idiom, self.number, Unit(driver, profile, PATIENT)
            )
        except Killed:
            outcome = "killed"
        self.attempted.append(outcome)
        new = self.meter.pulses[sent:]
        assert len(new) <= 1, "one command an attempt"
        assert set(new) <= {self.desired}, "nothing stale was sent"
        if outcome in {"settled", "in_place", "awaits_customer", "left_as_found"}:
            assert not new
        await self._evidence(outcome)
        return outcome

    async def _evidence(self, outcome: str) -> None:
        supply = await self.rig.world.supply(self.number)
        if outcome not in {"in_place", "switched", "ghost_success"} or not supply["settled"]:
            return
        assert supply["reported_revision"] == self.revision
        if supply["reported_verified"]:
            truth = "on" if self.meter.power_w else "off"
            blind = self.meter.load_w == 0
            assert supply["reported_state"] == truth or blind, "believed what is not so"
        else:
            assert supply["awaits"] == "power"

    async def poll(self) -> None:
        if self.meter.silent:
            return
        world, meter = self.rig.world, self.meter
        relay = None if meter.idiom == "timed" else "on" if meter.shows_on else "off"
        answer = MeterAnswer.of(power_w=meter.power_w, relay=relay)
        sight = MeterSight(self.number, world.clock.now(), answer)
        await world.do(note_sights, [sight])

    async def heal(self) -> None:
        """All faults but a welded contact end."""
        meter = self.meter
        meter.silent, meter.stuck, meter.lost_acks, meter.load_w = False, 0, 0, LOAD_W
        for _ in range(2 * QUICK.alarm_after):
            await self.poll()
            await self.attempt()
            if meter.armed and self.desired == "on":
                meter.press()


async def _play(world: World, idiom: str) -> Play:
    meter, number = RelayMeter(idiom), next(NUMBERS)
    rig = Rig(world, ModelLine(meter), 2, QUICK)  # type: ignore[arg-type]
    await replace(rig, port=number + 1).open(number, idiom)
    play = Play(rig, number, meter)
    await play.desire("off")
    return play


@pytest.mark.timeout(600)
@given(st.sampled_from(COMMANDED), STEPS, st.sampled_from(("on", "off")))
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
async def test_the_switch_comes_to_rest_in_place_or_alarmed(
    world: World, idiom: str, steps: list[str], last: State
) -> None:
    play = await _play(world, idiom)
    for name in steps:
        await play.step(name)
    if play.desired != last:
        await play.desire(last)
    await play.heal()
    supply, meter = await world.supply(play.number), play.meter
    if meter.welded and last == "off":
        alarms = await world.rows(
            "SELECT kind FROM alarm WHERE installation_id = :i AND cleared_at IS NULL",
            i=play.number,
        )
        assert {row["kind"] for row in alarms} & {"relay_welded", "relay_stuck"}
        assert not supply["settled"]
    elif not meter.welded:
        assert supply["settled"], play.attempted
        assert meter.closed == (last == "on")
        assert (supply["reported_state"], supply["reported_verified"]) == (last, True)
        commands = await play.rig.commands(play.number)
        assert all(command["closed_at"] for command in commands)
        assert len(commands) >= len(meter.pulses), "every pulse has its record"
    most = QUICK.alarm_after * (1 + play.disturbed) + play.disturbed
    assert len(meter.pulses) - play.pulses_before <= most, "not toggled without end"
