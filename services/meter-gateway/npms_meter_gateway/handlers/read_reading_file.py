"""A file of readings (CSV, UTF-8), read line by line: every fault named by its line and column.

Columns: `serial` or `installation_id`; `taken_at`, ISO 8601 with its offset from UTC; and
`register_kwh`, an exact decimal, or `register_wh`. Their order is free.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from npms_meter_gateway.domain.register import register_wh_of
from npms_meter_gateway.handlers.take_readings import SentReading
from npms_shared.texts import is_readable_line, one_line

MOST_LINES = 10_000
METERS, REGISTERS = ("serial", "installation_id"), ("register_kwh", "register_wh")
YEARS = range(1971, 2201)
MAX_SERIAL = 200


@dataclass(frozen=True, slots=True)
class LineFault:
    """`column` is empty where the line as a whole is wrong."""

    line: int
    column: str
    says: str


@dataclass(slots=True)
class ReadingFile:
    """`lines` has the line number of each reading."""

    readings: list[SentReading] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)
    faults: list[LineFault] = field(default_factory=list)


def read_file(lines: Iterable[str]) -> ReadingFile:
    """Everything that can be known of a file without the database."""
    rows, found = csv.reader(lines, strict=True), ReadingFile()
    try:
        names = [name.strip() for name in next(rows, [])]
        found.faults += _heading_faults(names)
        if not found.faults:
            for row in rows:
                _read_row(found, rows.line_num, names, row)
    except csv.Error as fault:
        found.faults.append(LineFault(rows.line_num, "", str(fault)))
    if not found.readings and not found.faults:
        found.faults.append(LineFault(1, "", "there is no reading in it"))
    return found


def _heading_faults(names: Sequence[str]) -> list[LineFault]:
    faults = [
        LineFault(1, name, "there is no such column, or it stands there twice")
        for index, name in enumerate(names)
        if name not in (*METERS, "taken_at", *REGISTERS) or name in names[:index]
    ]
    faults += [
        LineFault(1, " or ".join(choice), "expected one such column")
        for choice in (METERS, ("taken_at",), REGISTERS)
        if sum(name in choice for name in names) != 1
    ]
    return faults


def _read_row(found: ReadingFile, line: int, names: Sequence[str], row: Sequence[str]) -> None:
    if not row:
        return
    if len(found.readings) >= MOST_LINES:
        raise csv.Error(f"a file has at most {MOST_LINES} readings")
    if len(row) != len(names):
        found.faults.append(LineFault(line, "", f"expected {len(names)} fields"))
        return
    values: dict[str, Any] = {}
    for name, text in zip(names, row, strict=True):
        field_name, read = _READ[name]
        try:
            values[field_name] = read(text.strip())
        except ValueError as fault:
            found.faults.append(LineFault(line, name, str(fault)))
    if len(values) == len(names):
        found.readings.append(SentReading(**values))
        found.lines.append(line)


def _serial(text: str) -> str:
    """Spelled as at its opening, so that the same meter is found."""
    if not text or len(text) > MAX_SERIAL or not is_readable_line(text):
        raise ValueError(f"expected 1 to {MAX_SERIAL} characters, each of which is seen")
    return one_line(text)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) < 2**63):
        raise ValueError(f"{text[:40]!r} is no whole number")
    return int(text)


def _moment(text: str) -> int:
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"{text[:40]!r} is no time of ISO 8601") from None
    if at.tzinfo is None:
        raise ValueError("the offset from UTC is missing")
    if at.year not in YEARS:
        raise ValueError(f"expected a year from {YEARS[0]} to {YEARS[-1]}")
    return int(at.timestamp())


_READ: dict[str, tuple[str, Callable[[str], Any]]] = {
    "serial": ("meter", _serial),
    "installation_id": ("meter", _number),
    "taken_at": ("taken_at_s", _moment),
    "register_kwh": ("register_wh", register_wh_of),
    "register_wh": ("register_wh", _number),
}
