"""The idioms by which relays are moved, down to the bytes on the wire."""

from collections.abc import Mapping
from typing import Any

import pytest

from npms_meter_gateway.domain.profile import Profile, ProfileError
from npms_meter_gateway.domain.relay import fineco_key
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.errors import BadAnswer
from npms_meter_gateway.drivers.modbus.driver import ModbusDriver
from npms_meter_gateway.drivers.modbus.pdus import Read, Request
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.profiles.loading import parse_profile

PROFILES = load_profiles()
SERIAL_NUMBER = 0x12AB34CD


def profile(relay: Mapping[str, Any], **points: Any) -> Profile:
    """A meter of this relay, with power and a serial number."""
    data = {
        "profile": "of_the_test",
        "vendor": "test",
        "model": "test",
        "sources": [{"what": "test", "confidence": "assumed"}],
        "resolution_wh": 1,
        "points": {
            "energy_import_wh": {"table": "input", "address": 0, "type": "u32"},
            "power_w": {"table": "input", "address": 2, "type": "s16"},
            "serial_number": {"table": "input", "address": 0xFF00, "type": "u32"},
            **points,
        },
        "relay": dict(relay),
    }
    return parse_profile(data, name="of_the_test")


FINECO = {
    "kind": "fc16_keyed", "address": 0x0566, "value_on": 0x5555, "value_off": 0xAAAA,
    "key": "fineco",
    "read_back": {"table": "input", "address": 0x0566, "value_on": 0x5555, "value_off": 0xAAAA},
}  # fmt: skip
IVY = {"kind": "fc16_timed", "address": 0x00A7, "open_for_s": 86_400, "read_back": "power"}
ARMING = {
    "kind": "fc16_register", "address": 0x20, "local_reclose": True,
    "read_back": {
        "table": "holding", "address": 0x21, "value_on": 1, "value_off": 0, "value_armed": 2,
    },
    "fault": {"table": "holding", "address": 0xFBFE, "value": 1},
}  # fmt: skip


class Wire:
    """Registers by (table, address); keeps the frames that it was asked."""

    def __init__(self, registers: Mapping[tuple[str, int], int] | None = None) -> None:
        self.registers = dict(registers or {})
        self.pdus: list[str] = []

    async def ask(
        self,
        _unit_id: int,
        request: Request,
        *,
        timeout_s: float,  # noqa: ARG002 - as a bus is asked
        priority: Priority,  # noqa: ARG002
    ) -> tuple[int, ...]:
        self.pdus.append(request.encode().hex())
        if not isinstance(request, Read):
            return ()
        return tuple(
            self.registers.get((request.table, at), 0)
            for at in range(request.address, request.address + request.count)
        )


def driver(of: Profile, wire: Wire) -> ModbusDriver:
    return ModbusDriver(wire, 1, of)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("relay", "on", "off"),
    [
        (PROFILES["hiking_dds238_2_znsr"], "10001a0001020001", "10001a0001020000"),
        (PROFILES["eastron_sdm320c"], "050000ff00", "0500000000"),
        (profile(IVY), "1000a700020400000000", "1000a700020400015180"),
        (
            profile({**IVY, "open_for_s": 0xFFFFFFFF}),
            "1000a700020400000000",
            "1000a7000204ffffffff",
        ),
    ],
)
async def test_l11_golden_frames_of_relay_writes(relay: Profile, on: str, off: str) -> None:
    wire = Wire()
    await driver(relay, wire).switch("on")
    await driver(relay, wire).switch("off")
    assert wire.pdus == [on, off]


async def test_l11_golden_frames_of_a_keyed_write() -> None:
    """The serial number is read for each command; its key goes before the state."""
    wire = Wire({("input", 0xFF00): SERIAL_NUMBER >> 16, ("input", 0xFF01): SERIAL_NUMBER & 0xFFFF})
    meter = driver(profile(FINECO), wire)
    await meter.switch("off")
    await meter.switch("on")
    read = "04ff000002"
    assert wire.pdus == [read, "1005660002040204aaaa", read, "10056600020402045555"]


@pytest.mark.parametrize(
    ("serial_number", "key"),
    [(0, 0), (SERIAL_NUMBER, 0x0204), (0xFFFFFFFF, 0x1034 & 0x1234), (0x00123400, 0x1234)],
)
def test_a_finecos_key_follows_from_its_serial_number(serial_number: int, key: int) -> None:
    total = (serial_number >> 24) + (serial_number >> 8)
    assert fineco_key(serial_number) == total & 0x1234
    assert fineco_key(serial_number) <= 0x1234
    if serial_number in {SERIAL_NUMBER, 0x00123400}:
        assert fineco_key(serial_number) == key


async def test_no_serial_number_no_keyed_write() -> None:
    missing = {
        "serial_number": {"table": "input", "address": 0xFF00, "type": "u32", "invalid": [0]}
    }
    wire = Wire()
    with pytest.raises(BadAnswer):
        await driver(profile(FINECO, **missing), wire).switch("off")
    assert wire.pdus == ["04ff000002"]


@pytest.mark.parametrize(
    ("raw", "seen", "armed"),
    [(1, "on", False), (0, "off", False), (2, "off", True), (7, "unknown", False)],
)
async def test_an_armed_relay_reads_off_and_armed(raw: int, seen: str, armed: bool) -> None:  # noqa: FBT001
    wire = Wire({("holding", 0x21): raw})
    shown = await driver(profile(ARMING), wire).read({"relay"}, Priority.READ_BACK)
    assert (shown.relay, shown.armed, shown.relay_fault) == (seen, armed, False)


async def test_the_fault_register_is_read_where_it_is_asked_for() -> None:
    wire = Wire({("holding", 0x21): 1, ("holding", 0xFBFE): 1})
    meter = driver(profile(ARMING), wire)
    assert (await meter.read({"relay", "relay_fault"}, Priority.READ_BACK)).relay_fault
    polled = await meter.read({"relay"}, Priority.BILLING)
    assert not polled.relay_fault
    assert wire.pdus == ["0300210001", "03fbfe0001", "0300210001"]


async def test_a_relay_without_a_state_register_shows_none() -> None:
    shown = await driver(profile(IVY), Wire()).read({"relay", "power_w"}, Priority.READ_BACK)
    assert shown.relay is None


@pytest.mark.parametrize(
    ("relay", "place"),
    [
        ({"kind": "fc16_register", "address": 1}, "relay.read_back"),
        ({**FINECO, "key": None}, "relay.key"),
        ({**FINECO, "key": "guess"}, "relay.key"),
        ({**IVY, "key": "fineco"}, "relay.key"),
        ({**IVY, "open_for_s": 5}, "relay.open_for_s"),
        ({**FINECO, "value_on": 0xAAAA}, "relay: on and off are written the same"),
        (
            {**ARMING, "read_back": {**ARMING["read_back"], "value_armed": 1}},  # type: ignore[dict-item]
            "relay.read_back: two states read the same",
        ),
    ],
)
def test_a_relay_that_cannot_be_is_named_with_its_place(
    relay: Mapping[str, Any], place: str
) -> None:
    with pytest.raises(ProfileError) as fault:
        profile(relay)
    assert any(line.startswith(place) for line in fault.value.faults)


def test_power_tells_of_a_relay_only_where_it_is_measured() -> None:
    data = {"power_w": {"table": "input", "address": 2, "type": "s16"}}
    assert profile(IVY, **data).relay is not None
    with pytest.raises(ProfileError, match="power_w must tell"):
        parse_profile(
            {
                "profile": "blind_meter",
                "vendor": "v",
                "model": "m",
                "resolution_wh": 1,
                "sources": [{"what": "test", "confidence": "assumed"}],
                "points": {"energy_import_wh": {"table": "input", "address": 0, "type": "u32"}},
                "relay": IVY,
            },
            name="blind_meter",
        )


@pytest.mark.parametrize(
    ("relay", "renewed"),
    [(IVY, 43_200.0), ({**IVY, "open_for_s": 0xFFFFFFFF}, None), (FINECO, None)],
)
def test_a_timed_open_is_renewed_before_it_runs_out(
    relay: Mapping[str, Any], renewed: float | None
) -> None:
    found = profile(relay).relay
    assert found is not None
    assert found.renew_after_s == renewed
