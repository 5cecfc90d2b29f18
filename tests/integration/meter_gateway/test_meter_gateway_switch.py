"""The switch under every fault of relays and lines, with a record of each command."""

from collections.abc import Awaitable, Callable

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, client_of, service_of
from tests.support.relay_meter import RelayMeter
from tests.support.switch_world import PROFILES, QUICK, Interrupted, Rig, rig
from tests.support.tokens import TestIssuer

from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.meter_answer import MeterAnswer
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.domain.relay import State
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.handlers.note_sights import MeterSight, note_sights
from npms_meter_gateway.polling.supply_attempt import attempt
from npms_meter_gateway.polling.unit import Unit

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
COMMANDED = ["plain", "coil", "keyed", "timed"]


@pytest.mark.parametrize("idiom", COMMANDED)
async def test_every_idiom_opens_and_closes_on_evidence(world: World, idiom: str) -> None:
    meter = RelayMeter(idiom)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt(idiom) == "switched"
        assert not meter.closed
        await world.desire(1, "on")
        assert await line.attempt(idiom) == "switched"
        assert meter.closed
        assert await line.attempt(idiom) == "settled"
        assert meter.pulses == ["off", "on"]
        assert await line.lives() == [("off", "confirmed"), ("on", "confirmed")]
        assert await line.told() == [("off", True, ""), ("on", True, "")]


async def test_a_command_keeps_what_was_seen_before_and_after(world: World) -> None:
    async with rig(world, {1: RelayMeter("plain")}) as line:
        revision = await world.desire(1, "off")
        await line.attempt("plain")
        (command,) = await line.commands()
    assert (command["revision"], command["reason"], command["what"]) == (revision, "test", "relay")
    assert command["answer"] == "acknowledged"
    assert command["created_at"] <= command["answered_at"] <= command["closed_at"]
    before, (after,) = command["before"], command["after"]
    assert (before["relay"], before["power_w"]) == ("on", 3000)
    assert (after["relay"], after["power_w"]) == ("off", 0)


@pytest.mark.parametrize("idiom", COMMANDED)
async def test_l3_d3_a_ghost_success_is_one_command_and_one_pulse(world: World, idiom: str) -> None:
    meter = RelayMeter(idiom, lost_acks=1)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt(idiom) == "ghost_success"
        assert await line.attempt(idiom) == "settled"
        (command,) = await line.commands()
        assert (command["answer"], command["life"]) == ("no_answer", "confirmed")
        assert await line.told() == [("off", True, "")]
    assert meter.pulses == ["off"]
    assert await world.events(1) == []


class Killed(BaseException):
    """The process ends here."""


class KilledAfterWriting(ModbusDriver):
    async def switch(self, state: State) -> None:
        await super().switch(state)
        raise Killed


class KilledBeforeWriting(ModbusDriver):
    async def switch(self, state: State) -> None:  # noqa: ARG002
        raise Killed


async def _kill(line: Rig, driver: type[ModbusDriver]) -> None:
    profile = PROFILES["test_plain"]
    unit = Unit(driver(line.bus, 1, profile), profile, BreakerPolicy())
    with pytest.raises(Killed):
        await line.attempt("plain", unit=unit)
    assert await line.lives() == [("off", "sent")], "visible that it may have left"


async def test_d8_killed_between_write_and_acknowledgement_the_read_back_decides(
    world: World,
) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        await _kill(line, KilledAfterWriting)
        assert await line.attempt("plain") == "in_place"
        assert meter.pulses == ["off"], "no second pulse"
        (command,) = await line.commands()
        assert command["life"] == "confirmed"
        assert command["after"][0]["relay"] == "off"
        assert await line.told() == [("off", True, "")]


async def test_d8_killed_before_the_write_left_it_is_sent_by_the_next_process(
    world: World,
) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        await _kill(line, KilledBeforeWriting)
        assert await line.attempt("plain") == "switched"
        assert await line.lives() == [("off", "in_vain"), ("off", "confirmed")]
    assert meter.pulses == ["off"]


async def test_d8_a_command_of_before_the_restart_that_is_obsolete_is_superseded(
    world: World,
) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        await _kill(line, KilledBeforeWriting)
        await world.desire(1, "on")
        assert await line.attempt("plain") == "in_place"
        assert await line.lives() == [("off", "superseded")]
    assert meter.pulses == []


async def test_l2_a_welded_contact_is_alarmed_and_not_pulsed_for_ever(world: World) -> None:
    meter = RelayMeter("plain", welded=True)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        for _ in range(8):
            assert await line.attempt("plain") == "in_vain"
        assert len(meter.pulses) == QUICK.alarm_after
        assert await world.events(1) == ["relay_welded"]
        assert await line.told() == [("off", False, "")], "off is not believed while power flows"
        meter.welded = False
        assert await line.attempt("plain") == "in_place"
        assert await line.told() == [("off", False, ""), ("off", True, "")]
        open_alarms = "SELECT kind FROM alarm WHERE cleared_at IS NULL"
        assert await world.rows(open_alarms) == []


async def test_l2_a_meter_that_says_it_cannot_open_is_believed(world: World) -> None:
    meter = RelayMeter("plain", says_fault=True, stuck=-1)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        for _ in range(8):
            assert await line.attempt("plain") == "in_vain"
        assert len(meter.pulses) == QUICK.alarm_after
        assert await world.events(1) == ["relay_welded"]
        assert await line.told() == [("on", False, "")]


async def test_l11_a_wrong_key_shows_as_a_relay_that_does_not_obey(world: World) -> None:
    """The profile's formula does not fit this meter: acknowledged, nothing moved, alarmed."""
    meter = RelayMeter("keyed", stuck=-1)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        for _ in range(3):
            assert await line.attempt("keyed") == "in_vain"
        assert await world.events(1) == ["relay_stuck"]
        assert {c["answer"] for c in await line.commands()} == {"acknowledged"}


async def test_l4_a_timed_opening_is_renewed_before_it_runs_out(world: World) -> None:
    meter = RelayMeter("timed")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt("timed") == "switched"
        assert await line.attempt("timed") == "settled"
        supply = await world.supply(1)
        wait_s = (supply["renew_at"] - world.clock.wall_now()).total_seconds()
        assert wait_s == pytest.approx(300, abs=20)
        meter.advance(310)
        await _let_renewal_come(world)
        assert await line.attempt("timed") == "switched"
        meter.advance(310)
        assert not meter.closed, "620 s after an opening for 600 s"
        assert await line.told() == [("off", True, "")]
        assert await world.events(1) == []


async def _let_renewal_come(world: World) -> None:
    async with world.database.transaction() as conn:
        await conn.exec_driver_sql("UPDATE supply SET renew_at = now() - interval '1 second'")


async def test_l4_one_that_ran_out_is_opened_again_only_if_still_without_credit(
    world: World,
) -> None:
    meter = RelayMeter("timed")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        await line.attempt("timed")
        meter.advance(601)
        assert meter.closed
        await _poll(world, 1, meter)
        assert await line.attempt("timed") == "switched"
        assert not meter.closed
        assert await world.events(1) == ["relay_moved"]
        meter.advance(601)
        await world.desire(1, "on")
        assert await line.attempt("timed") == "in_place"
        assert meter.pulses == ["off", "off"]


async def _poll(world: World, installation_id: int, meter: RelayMeter) -> None:
    """What a poll of the meter brings to the gateway's knowledge."""
    relay = None if meter.idiom == "timed" else "on" if meter.shows_on else "off"
    answer = MeterAnswer.of(power_w=meter.power_w, relay=relay)
    sight = MeterSight(installation_id, world.clock.now(), answer)
    await world.do(note_sights, [sight])


async def test_power_alone_proves_open_after_a_command_and_closed_only_when_it_flows(
    world: World,
) -> None:
    meter = RelayMeter("timed", shows_on=False, load_w=0)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "on")
        assert await line.attempt("timed") == "switched"
        assert await line.told() == [("unknown", False, "power")], "closed, but nothing proves it"
        await _poll(world, 1, meter)
        assert await line.attempt("timed") == "settled"
        meter.load_w = 800
        await _poll(world, 1, meter)
        assert await line.attempt("timed") == "in_place"
        assert (await line.told())[-1] == ("on", True, "")
    assert meter.pulses == ["on"]


async def test_without_power_and_without_a_register_a_cut_is_sent_before_it_is_believed(
    world: World,
) -> None:
    meter = RelayMeter("timed", load_w=0)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt("timed") == "switched"
    assert meter.pulses == ["off"]
    assert not meter.closed


async def test_l5_d4_an_armed_relay_waits_for_its_customer(world: World) -> None:
    meter = RelayMeter("arming", shows_on=False)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "on")
        assert await line.attempt("arming") == "armed"
        for _ in range(5):
            assert await line.attempt("arming") == "awaits_customer"
        assert meter.pulses == ["on"], "not pulsed again"
        assert not meter.closed, "a remote command never energises it"
        assert await line.told() == [("off", True, "customer")]
        assert await world.events(1) == []
        meter.press()
        assert await line.attempt("arming") == "in_place"
        assert await line.told() == [("off", True, "customer"), ("on", True, "")]
        assert await line.lives() == [("on", "confirmed")]


async def test_l5_a_press_is_taken_up_as_soon_as_a_poll_sees_it(world: World) -> None:
    meter = RelayMeter("arming", shows_on=False)
    async with rig(world, {1: meter}) as line:
        waits = line.with_policy(armed_look_s=600)
        await world.desire(1, "on")
        await waits.attempt("arming")
        assert await waits.attempt("arming") == "settled", "not looked at for ten minutes"
        meter.press()
        await _poll(world, 1, meter)
        assert await waits.attempt("arming") == "in_place"


async def test_d4_an_armed_relay_is_cut_like_any_other(world: World) -> None:
    meter = RelayMeter("arming", shows_on=False)
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "on")
        await line.attempt("arming")
        await world.desire(1, "off")
        assert await line.attempt("arming") in {"switched", "in_place"}
        assert not meter.closed


async def test_a_relay_that_is_moved_on_the_meter_alone_is_never_commanded(world: World) -> None:
    meter = RelayMeter("local")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        assert await line.attempt("local") == "unswitchable"
        assert await line.attempt("local") == "unswitchable"
        assert await world.events(1) == ["no_relay"]
        assert await line.told() == [("on", True, "")]
        meter.move(on=False)
        assert await line.attempt("local") == "in_place"
        await world.desire(1, "on")
        assert await line.attempt("local") == "awaits_customer"
    assert meter.pulses == []


@pytest.mark.parametrize(
    ("moved", "left", "outcome", "closed"),
    [
        ("restore", "off", "switched", False),
        ("restore", "on", "switched", True),
        ("reopen", "off", "switched", False),
        ("reopen", "on", "left_as_found", False),
        ("report", "off", "left_as_found", True),
        ("report", "on", "left_as_found", False),
    ],
)
async def test_l6_a_relay_moved_by_hand_is_told_and_treated_by_policy(
    world: World,
    moved: str,
    left: str,
    outcome: str,
    closed: bool,  # noqa: FBT001
) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as restoring:
        line = restoring.with_policy(moved=moved)
        await world.desire(1, left)
        await line.attempt("plain")
        pulses = len(meter.pulses)
        meter.move(on=left == "off")
        await _poll(world, 1, meter)
        assert await line.attempt("plain") == outcome
        assert meter.closed is closed
        assert await world.events(1) == ["relay_moved"]
        again = await line.attempt("plain")
        assert again == ("settled" if outcome == "switched" else "left_as_found")
        assert await world.events(1) == ["relay_moved"], "told once"
        assert len(meter.pulses) == pulses + (outcome == "switched")
        seen = ("on" if left == "off" else "off", True, "")
        assert seen in await line.told()
        assert (await line.told())[-1] == (("on" if closed else "off"), True, "")


async def test_l6_what_was_left_as_found_ends_with_the_next_decision(world: World) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as restoring:
        line = restoring.with_policy(moved="report")
        await world.desire(1, "off")
        await line.attempt("plain")
        meter.move(on=True)
        await _poll(world, 1, meter)
        assert await line.attempt("plain") == "left_as_found"
        await world.desire(1, "off")
        assert await line.attempt("plain") == "switched"
        assert not meter.closed


async def test_by_default_a_relay_moved_by_hand_is_left_as_found_with_an_alarm(
    world: World, http: httpx.AsyncClient
) -> None:
    """Until an operator, who knows that nobody works behind it, has it brought back."""
    meter, place = RelayMeter("plain", shows_on=False), "/v1/meters/1/restore-supply"
    body = {"reason": "The electrician has left."}
    async with rig(world, {1: meter}) as restoring:
        line = restoring.with_policy(moved=SwitchingPolicy().moved)
        await world.desire(1, "on")
        assert await line.attempt("plain") == "switched"
        refused = await http.post(place, json=body)
        assert (refused.status_code, refused.json()["code"]) == (409, "relay_not_moved")
        meter.move(on=False)
        await _poll(world, 1, meter)
        assert await line.attempt("plain") == "left_as_found"
        assert await line.attempt("plain") == "left_as_found"
        assert meter.pulses == ["on"]
        assert await world.open_alarms() == ["relay_moved"]
        assert (await line.blocked())[-1] == ("off", "moved")
        assert (await http.post("/v1/meters/9/restore-supply", json=body)).status_code == 404
        assert (await http.post(place, json=body)).status_code == 200
        assert await line.attempt("plain") == "switched"
        assert (await line.blocked())[-1] == ("on", "")
        assert await world.open_alarms() == []
    (entry,) = await world.rows("SELECT * FROM audit_trail")
    assert (entry["subject"], entry["action"]) == ("installation:1", "supply_restored")
    assert (entry["by_subject"], entry["reason"]) == ("amina", body["reason"])


async def test_who_moved_a_relay_by_hand_and_moves_it_back_ends_the_alarm(world: World) -> None:
    meter = RelayMeter("plain", shows_on=False)
    async with rig(world, {1: meter}) as restoring:
        line = restoring.with_policy(moved="report")
        await world.desire(1, "on")
        await line.attempt("plain")
        meter.move(on=False)
        await _poll(world, 1, meter)
        assert await line.attempt("plain") == "left_as_found"
        meter.move(on=True)
        assert await line.attempt("plain") == "in_place"
        assert await world.open_alarms() == []
    assert meter.pulses == ["on"]


@pytest.mark.parametrize("first", ["off", "on"])
async def test_l7_the_last_decision_of_a_race_wins(world: World, first: str) -> None:
    """A top-up races a disconnect: the older one is neither sent nor kept in any queue."""
    second = "on" if first == "off" else "off"
    meter = RelayMeter("plain", shows_on=first == "off")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, first, 5)
        stale = await line.due()
        assert stale is not None
        profile = PROFILES["test_plain"]
        unit = Interrupted(ModbusDriver(line.bus, 1, profile), profile, BreakerPolicy())
        unit.meanwhile = lambda: world.desire(1, second, 6)
        assert await attempt(line.context(), stale, unit) == "superseded"
        assert await attempt(line.context(), stale, unit) == "superseded", "found in a queue later"
        assert await line.attempt("plain") == "in_place"
        await world.desire(1, first, 4)
        assert await line.attempt("plain") == "settled", "an older revision that comes late"
        assert await line.lives() == []
        assert await line.told() == [(second, True, "")]
    assert meter.pulses == []


async def test_l7_a_command_overtaken_before_its_read_back_is_superseded(world: World) -> None:
    meter = RelayMeter("plain")
    async with rig(world, {1: meter}) as line:
        await world.desire(1, "off")
        unit = line.unit(1, "plain")
        send = unit.switch

        async def overtaken(state: State, known: str | None = None) -> None:
            await send(state, known)
            await world.desire(1, "on")

        unit.switch = overtaken  # type: ignore[method-assign]
        await line.attempt("plain", unit=unit)
        assert await line.told() == [], "of an obsolete revision nothing is reported"
        assert await line.attempt("plain") == "switched"
        assert await line.lives() == [("off", "superseded"), ("on", "confirmed")]
    assert meter.closed


async def test_commands_are_listed_newest_first(
    world: World, issuer: TestIssuer, amqp_url: str
) -> None:
    async with rig(world, {1: RelayMeter("plain", lost_acks=1)}) as line:
        for state in ("off", "on", "off"):
            await world.desire(1, state)
            await line.attempt("plain")
    async with (
        service_of(world, issuer, amqp_url=amqp_url) as service,
        client_of(service) as http,
    ):
        path, headers = "/v1/meters/1/commands", issuer.headers("operator")
        page = (await http.get(f"{path}?limit=2", headers=headers)).json()
        rest = await http.get(f"{path}?cursor={page['next_cursor']}", headers=headers)
        refused = await http.get(path, headers=issuer.headers("customer"))
        meter = (await http.get("/v1/meters/1", headers=headers)).json()
    assert [(c["state"], c["life"]) for c in page["items"]] == [
        ("off", "confirmed"), ("on", "confirmed"),
    ]  # fmt: skip
    (oldest,) = rest.json()["items"]
    assert (oldest["answer"], oldest["before"]["relay"]) == ("no_answer", "on")
    assert oldest["after"][0]["relay"] == "off"
    assert refused.status_code == 403
    assert (meter["supply"]["awaits"], meter["supply"]["suspended_since"]) == ("", None)
