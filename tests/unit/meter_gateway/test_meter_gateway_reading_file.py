"""Files of readings: what is read from them, and what is said of those that cannot be."""

import io

import pytest

from npms_meter_gateway.domain.register import register_wh_of
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.read_reading_file import MOST_LINES, LineFault, read_file
from npms_meter_gateway.handlers.take_readings import SentReading

AT = "2026-11-23T18:15:00+03:00"
AT_S = 1_795_446_900


def read(text: str):
    return read_file(io.StringIO(text, newline=""))


def test_every_verdict_has_words() -> None:
    assert set(WORDS) == set(Verdict)


@pytest.mark.parametrize(
    "text",
    [
        f"serial,taken_at,register_kwh\nM1,{AT},1250.001\n",
        f"register_wh,serial,taken_at\r\n1250001,M1,{AT}\r\n\r\n",
        f'taken_at ,"serial",register_kwh\n"{AT}"," M1 ",1250.0019999\n',
        "serial,taken_at,register_wh\nM1,2026-11-23T15:15:00Z,1250001\n",
    ],
)
def test_columns_in_any_order_and_units_of_both_kinds(text: str) -> None:
    found = read(text)
    assert found.faults == []
    assert (found.readings, found.lines) == ([SentReading("M1", AT_S, 1_250_001)], [2])


def test_a_serial_is_spelled_as_at_its_opening() -> None:
    found = read(f"serial,taken_at,register_wh\nCafe\u0301  7,{AT},1\n")
    assert found.readings == [SentReading("Caf\u00e9 7", AT_S, 1)]
    (fault,) = read(f"serial,taken_at,register_wh\nM\u200b1,{AT},1\n").faults
    assert (fault.line, fault.column) == (2, "serial")


def test_installations_are_numbers() -> None:
    found = read(f"installation_id,taken_at,register_wh\n7,{AT},1\n")
    assert found.readings == [SentReading(7, AT_S, 1)]


@pytest.mark.parametrize(
    ("line", "column"),
    [
        (f"M1,{AT},12,5", ""),
        (f"M1,{AT}", ""),
        (f",{AT},1", "serial"),
        ("M1,2026-11-23T18:15:00,1", "taken_at"),
        ("M1,23.11.2026 18:15,1", "taken_at"),
        ("M1,0001-01-01T00:00:00+00:00,1", "taken_at"),
        *(
            (f"M1,{AT},{wrong}", "register_kwh")
            for wrong in ("-1", "1e3", "", "NaN", "٣", "9" * 17)
        ),
    ],
)
def test_a_line_that_cannot_be_read_is_named_with_its_column(line: str, column: str) -> None:
    found = read(f"serial,taken_at,register_kwh\nM0,{AT},1\n{line}\nM2,{AT},1\n")
    [fault] = found.faults
    assert (fault.line, fault.column) == (3, column)
    assert found.lines == [2, 4]


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        ("", 4),
        (f"serial,installation_id,taken_at,register_wh\nM1,1,{AT},1\n", 1),
        (f"serial,taken_at,register_wh,register_wh\nM1,{AT},1,1\n", 2),
        (f"serial,taken_at,register_wh,colour\nM1,{AT},1,red\n", 1),
        ("serial,taken_at,register_wh\n", 1),
        (f'serial,taken_at,register_wh\n"M1,{AT},1\n', 1),
    ],
)
def test_a_file_that_is_none_is_refused_as_a_whole(text: str, faults: int) -> None:
    found = read(text)
    assert found.readings == []
    assert len(found.faults) in {faults, faults - 1}


def test_a_file_has_an_end() -> None:
    lines = f"M1,{AT},1\n" * (MOST_LINES + 1)
    found = read("serial,taken_at,register_wh\n" + lines)
    assert found.faults == [
        LineFault(MOST_LINES + 2, "", f"a file has at most {MOST_LINES} readings")
    ]


@pytest.mark.parametrize(
    ("kwh", "wh"), [("0", 0), ("0.0009", 0), ("1.0019", 1001), ("1250.5", 1_250_500)]
)
def test_a_register_is_cut_down_never_up(kwh: str, wh: int) -> None:
    assert register_wh_of(kwh) == wh
