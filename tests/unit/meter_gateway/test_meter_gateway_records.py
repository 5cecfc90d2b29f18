"""What a meter keeps besides its registers, by the description in its profile."""
# ruff: noqa: DTZ001 - a meter knows no zone

from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from npms_meter_gateway.domain.decoding import decode
from npms_meter_gateway.domain.device_time import TimeField, TimeFormat
from npms_meter_gateway.domain.point import ENERGY
from npms_meter_gateway.domain.profile import ProfileError
from npms_meter_gateway.domain.records import UNKNOWN_EVENT, Status
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.profiles.loading import parse_profile

ACREL = load_profiles()["acrel_dtsd1352"]
FIELDS: tuple[TimeField, ...] = ("year", "month", "day", "hour", "minute", "second")


@given(
    st.permutations(FIELDS),
    st.sampled_from(["byte", "register"]),
    st.sampled_from(["binary", "bcd"]),
    st.datetimes(datetime(2000, 1, 1), datetime(2099, 12, 31)),
)
def test_a_time_reads_as_it_was_written(
    fields: list[TimeField], unit: Any, coding: Any, at: datetime
) -> None:
    form = TimeFormat(tuple(fields), unit, coding)
    words = form.encode(at)
    assert len(words) == form.registers
    assert form.decode(words) == at.replace(microsecond=0)


@pytest.mark.parametrize("words", [(0, 0, 0), (0xFFFF,) * 3, (0x1A02, 0x1E00, 0)])
def test_what_is_no_time_is_none(words: tuple[int, ...]) -> None:
    assert TimeFormat(FIELDS).decode(words) is None
    assert TimeFormat(FIELDS, coding="bcd").decode(words) is None


def test_the_clock_is_written_as_the_manual_orders_it() -> None:
    assert ACREL.clock is not None
    assert ACREL.clock.is_settable
    words = ACREL.clock.time.encode(datetime(2026, 11, 25, 13, 14, 15))
    assert words == (15 << 8 | 14, 13 << 8 | 25, 11 << 8 | 26)


def test_the_event_in_the_manuals_example() -> None:
    log = ACREL.events
    assert log is not None
    assert log.records.address_of(0) == 0x3001
    assert log.records.address_of(99) == 0x3064
    record = [0x1201, 0x080A, 0x0101, 0x0100, 0, 0]
    assert len(record) == log.records.words
    assert log.time.decode(record[log.time_at :]) == datetime(2018, 1, 8, 10, 1, 1)
    assert log.kinds_of(record[log.code_at], record[4]) == ("power_up",)


@pytest.mark.parametrize(
    ("code", "detail", "kinds"),
    [
        (0x0200, 1, ("register_cleared",)),
        (0x0200, 9, (UNKNOWN_EVENT,)),
        (0x0400, 0x0009, ("over_voltage", "phase_loss")),
        (0x0400, 0, ()),
        (0x0999, 0, (UNKNOWN_EVENT,)),
    ],
)
def test_codes_are_told_as_kinds(code: int, detail: int, kinds: tuple[str, ...]) -> None:
    assert ACREL.events is not None
    assert ACREL.events.kinds_of(code, detail) == kinds


def test_a_daily_freeze_is_a_time_and_a_register() -> None:
    daily = ACREL.freezes[0]
    assert daily.records.address_of(89) == 0x115A
    record = [*daily.time.encode(datetime(2026, 3, 1)), 0x0001, 0x86A0] + [0] * 56
    assert len(record) == daily.records.words
    point = daily.points[ENERGY]
    assert decode(point, record[point.address : point.end]) == 1_000_000
    assert daily.time.decode(record[daily.time_at :]) == datetime(2026, 3, 1)
    assert datetime(2026, 3, 1) - timedelta(days=1) == daily.time.decode(
        daily.time.encode(datetime(2026, 2, 28))
    )


def test_status_bits_tell_of_kinds() -> None:
    status = Status("holding", 1, {0x0003: "phase_loss", 0x0010: "cover_open"})
    assert status.kinds_in(0x0012) == {"phase_loss", "cover_open"}
    assert status.kinds_in(0x0100) == set()


def profile_with(**changes: Any) -> dict[str, Any]:
    return {
        "profile": "test_meter",
        "vendor": "Nobody",
        "model": "T1",
        "sources": [{"what": "this test", "confidence": "assumed"}],
        "resolution_wh": 10,
        "points": {ENERGY: {"address": 10, "type": "u32", "scale": "10"}},
        "relay": {"kind": "none"},
        **changes,
    }


ROW = {"base": 0xFFFF, "count": 2, "words": 4, "stride": 1}
TIME = {"fields": ["year", "month", "day", "hour"]}


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        (
            {"freezes": [{"every": "day", "records": ROW, "time": TIME, "points": {}}]},
            "freezes.0.count: beyond the last register; freezes.0.points: energy_import_wh is",
        ),
        (
            {
                "freezes": [
                    {
                        "every": "day",
                        "records": ROW,
                        "time": TIME,
                        "time_at": 3,
                        "points": {ENERGY: {"address": 3, "type": "u32"}},
                    }
                ]
            },
            "freezes.0.points.energy_import_wh: beyond the record",
        ),
        (
            {
                "events": {
                    "records": ROW,
                    "time": TIME,
                    "code_at": 4,
                    "rules": [{"code": 1, "kind": "earthquake"}],
                }
            },
            "events.count: beyond the last register; events.rules.0.kind: not a known kind",
        ),
        (
            {"status": [{"address": 1, "rules": [{"bits": 1, "kind": "mood"}]}]},
            "status.0.rules: mood is not a known kind",
        ),
    ],
)
def test_what_is_wrong_in_records_is_named(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ProfileError) as caught:
        parse_profile(profile_with(**changes), name="test_meter")
    assert place in "; ".join(caught.value.faults)
