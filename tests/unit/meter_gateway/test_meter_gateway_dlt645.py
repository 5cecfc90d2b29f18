"""DL/T 645-2007 on the wire: what is asked, which answers are believed, what they mean."""

from dataclasses import replace
from datetime import UTC, datetime
from fractions import Fraction
from zoneinfo import ZoneInfo

import pytest

from npms_meter_gateway.domain.addressing import line_address
from npms_meter_gateway.domain.bcd import decode_bcd
from npms_meter_gateway.drivers.dlt645.access import Access
from npms_meter_gateway.drivers.dlt645.framing import Dlt645
from npms_meter_gateway.drivers.dlt645.pdus import TRIP, Control, Dlt645Refused, ReadData
from npms_meter_gateway.drivers.golden import golden_faults
from npms_meter_gateway.drivers.line.errors import BadAnswer, LinkFault
from npms_meter_gateway.profiles import load_profiles

PROFILE = load_profiles()["dlt645_generic"]
ENERGY = ReadData(0x00010000, 4)
METER = 161
ASKED = bytes.fromhex("FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16")
ANSWER = bytes.fromhex("68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16")
"""Published with its meaning: 0.26 kWh of meter 000000000161."""


def answered(request: ReadData | Control, data: bytes, meter: int = METER) -> tuple[int, ...]:
    found = Dlt645().first(data)
    assert found is not None
    _, unit, pdu, size = found
    if unit != meter or size != len(data):
        raise BadAnswer("of another meter")
    return request.decode(pdu)


def framed(code: int, data: bytes, meter: int = METER) -> bytes:
    return Dlt645().wrap(0, meter, bytes([code]) + data)


def test_a_published_exchange_is_asked_and_understood() -> None:
    assert Dlt645().wrap(0, METER, ENERGY.encode()) == ASKED
    [raw] = answered(ENERGY, ANSWER)
    assert decode_bcd(PROFILE.points["energy_import_wh"], raw) == 260
    assert answered(ENERGY, b"\xfe" * 3 + ANSWER) == (raw,)


def test_an_answer_in_pieces_is_waited_for() -> None:
    whole = b"\xfe\xfe" + ANSWER
    for end in range(len(whole)):
        assert Dlt645().first(whole[:end]) is None
    assert Dlt645().first(whole + b"\xfe") is not None


@pytest.mark.parametrize("place", range(len(ANSWER)))
def test_no_single_wrong_byte_is_believed(place: int) -> None:
    for change in (1, 0x10, 0x80):
        spoilt = bytearray(ANSWER)
        spoilt[place] ^= change
        found = None
        try:
            found = Dlt645().first(bytes(spoilt))
            assert found is None or answered(ENERGY, bytes(spoilt)) is None
        except LinkFault:
            found = None
        assert found is None, (place, change)


@pytest.mark.parametrize(
    ("data", "cause"),
    [
        (framed(0x91, bytes.fromhex("00000200 26000000")), "wrong_echo"),
        (framed(0x91, bytes.fromhex("00000100 260000")), "wrong_count"),
        (framed(0x91, b""), "wrong_echo"),
        (framed(0xB1, bytes.fromhex("00000100 26000000")), "wrong_function"),
        (framed(0x11, bytes.fromhex("00000100")), "wrong_function"),
        (framed(0x9C, b""), "wrong_function"),
        (b"\x16" + ANSWER, "wrong_start"),
    ],
)
def test_what_was_not_asked_is_no_answer(data: bytes, cause: str) -> None:
    with pytest.raises(BadAnswer) as caught:
        answered(ENERGY, data)
    assert caught.value.cause == cause


@pytest.mark.parametrize(("code", "about"), [(0x02, True), (0x01, False), (0x04, False)])
def test_an_error_word_is_a_refusal(code: int, about: bool) -> None:  # noqa: FBT001
    with pytest.raises(Dlt645Refused) as caught:
        answered(ENERGY, framed(0xD1, bytes([code])))
    assert (caught.value.is_about_registers, caught.value.is_about_unit) == (about, False)


def test_a_command_bears_password_operator_and_its_end_and_shows_none_of_them() -> None:
    access = Access(
        bytes.fromhex("02563412"),
        bytes.fromhex("78563412"),
        zone=ZoneInfo("Asia/Shanghai"),
        now=lambda: datetime(2026, 11, 23, 15, 59, 58, tzinfo=UTC),
    )
    command = Control(TRIP, access)
    assert command.encode() == bytes.fromhex("1C 02563412 78563412 1A 00 58 04 00 24 11 26")
    assert answered(command, framed(0x9C, b"")) == ()
    assert "563412" not in repr(command) + repr(access)
    with pytest.raises(Dlt645Refused, match="password"):
        answered(command, framed(0xDC, b"\x04"))


@pytest.mark.parametrize(
    ("name", "raw", "value"),
    [
        ("energy_import_wh", 0x12345678, Fraction(123_456_780)),
        ("power_w", 0x815050, Fraction(-1505)),
        ("power_w", 0x015050, Fraction(1505)),
        ("voltage_v", 0x2305, Fraction("230.5")),
        ("current_a", 0x800001, Fraction("-0.001")),
        ("voltage_v", 0xFFFF, None),
        ("energy_import_wh", 0xFFFFFFFF, None),
        ("energy_import_wh", 0x1234567A, None),
    ],
)
def test_digits_are_read_exactly(name: str, raw: int, value: Fraction | None) -> None:
    assert decode_bcd(PROFILE.points[name], raw) == value


def test_a_meter_is_called_by_its_serial() -> None:
    assert line_address("dlt645", serial="000123456789", unit_id=7) == 123456789
    assert line_address("modbus", serial="M1", unit_id=7) == 7
    for serial in ("M1", "1234567890123", "", "١٢"):
        with pytest.raises(ValueError, match="DL/T 645"):
            line_address("dlt645", serial=serial, unit_id=7)


def test_golden_frames_mean_what_the_profile_says() -> None:
    assert golden_faults(PROFILE) == []
    voltage = PROFILE.golden[1]
    swapped = replace(voltage, values={"voltage_v": "230.6"})
    another = replace(voltage, values={"frequency_hz": "50"})
    assert golden_faults(replace(PROFILE, golden=(swapped,))) == [
        "golden.0: values.voltage_v: 461/2, not 230.6"
    ]
    assert golden_faults(replace(PROFILE, golden=(another,)))[0].endswith("ask for frequency_hz")
