"""A file of accounts to take over, read line by line: every fault named by its line and column.

Columns: external_reference, customer_name, language, phone, email, time_zone, currency,
usage_point, commodity, max_power_w, meter_serial, profile, host, port, unit_id,
opening_register_kwh, plan_code, credit_policy, customer_class, opening_credit, opening_debt,
protected. Amounts are decimal texts in currency units; what is not needed may be empty.
"""

import csv
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import Any, TypeVar

from npms_ledger.handlers.open_account import NewCustomer, OpenAccount
from npms_shared.contracts.ledger import Contact, MeterConnection
from npms_shared.money import AmountError, is_currency, parse_amount
from npms_shared.texts import is_readable_line, one_line
from npms_shared.zones import is_zone

T = TypeVar("T")
COLUMNS = (
    "external_reference",
    "customer_name",
    "language",
    "phone",
    "email",
    "time_zone",
    "currency",
    "usage_point",
    "commodity",
    "max_power_w",
    "meter_serial",
    "profile",
    "host",
    "port",
    "unit_id",
    "opening_register_kwh",
    "plan_code",
    "credit_policy",
    "customer_class",
    "opening_credit",
    "opening_debt",
    "protected",
)
COMMODITIES = ("electricity", "water", "gas")
MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class RowFault:
    """`column` is empty where the line as a whole is wrong."""

    line: int
    column: str
    says: str


@dataclass(frozen=True, slots=True)
class ImportRow:
    """`fingerprint` is of the line as it was written."""

    line: int
    reference: str
    fingerprint: str
    command: OpenAccount


@dataclass(slots=True)
class ImportFile:
    rows: list[ImportRow] = field(default_factory=list)
    faults: list[RowFault] = field(default_factory=list)


def read_file(lines: Iterable[str]) -> ImportFile:
    """Everything that can be known of a file without the database."""
    read, found = csv.DictReader(lines, strict=True), ImportFile()
    try:
        missing = [name for name in COLUMNS if name not in (read.fieldnames or ())]
        strange = [name for name in read.fieldnames or () if name not in COLUMNS]
        found.faults += [RowFault(1, name, "the column is missing") for name in missing]
        found.faults += [RowFault(1, name, "there is no such column") for name in strange]
        if not found.faults:
            for values in read:
                _read_row(found, read.line_num, values)
    except csv.Error as fault:
        found.faults.append(RowFault(read.line_num, "", str(fault)))
    _refuse_twins(found)
    return found


def _read_row(found: ImportFile, line: int, values: dict[str, Any]) -> None:
    if None in values or None in values.values():
        found.faults.append(RowFault(line, "", f"expected {len(COLUMNS)} fields"))
        return
    reader = _Reader(line, {name: values[name].strip() for name in COLUMNS})
    row = reader.row()
    if reader.faults:
        found.faults += reader.faults
    else:
        found.rows.append(row)


def _refuse_twins(found: ImportFile) -> None:
    """A reference and a meter stand in a file once."""
    kinds: tuple[tuple[str, Callable[[ImportRow], str]], ...] = (
        ("external_reference", lambda row: row.reference),
        ("meter_serial", lambda row: row.command.meter.serial),
    )
    for column, key in kinds:
        seen: dict[str, int] = {}
        for row in found.rows:
            first = seen.setdefault(key(row), row.line)
            if first != row.line:
                says = f"{key(row)!r} stands in line {first} already"
                found.faults.append(RowFault(row.line, column, says))


class _Reader:
    """One line; what is wrong is kept, and something harmless stands in its place."""

    def __init__(self, line: int, values: dict[str, str]) -> None:
        self._line, self._values = line, values
        self.faults: list[RowFault] = []

    def row(self) -> ImportRow:
        raw = "\x1f".join(self._values[name] for name in COLUMNS)
        return ImportRow(
            line=self._line,
            reference=self._text("external_reference"),
            fingerprint=hashlib.sha256(raw.encode()).hexdigest(),
            command=self._command(),
        )

    def _command(self) -> OpenAccount:
        meter = MeterConnection(
            serial=self._text("meter_serial"),
            profile=self._text("profile"),
            host=self._text("host"),
            port=self._number("port", 0, 65_535),
            unit_id=self._number("unit_id", 0, 255),
        )
        return OpenAccount(
            customer=NewCustomer(self._text("customer_name"), self._language(), self._contacts()),
            time_zone=self._checked("time_zone", _zone),
            currency=self._checked("currency", _currency),
            label=self._text("usage_point"),
            commodity=self._checked("commodity", _commodity),
            max_power_w=self._number("max_power_w", 1, 10_000_000),
            meter=meter,
            opening_register_wh=self._checked("opening_register_kwh", _register) or 0,
            plan_code=self._text("plan_code"),
            policy=self._text("credit_policy"),
            customer_class=self._values["customer_class"],
            opening_credit_micro=self._amount("opening_credit"),
            opening_debt_micro=self._amount("opening_debt"),
            protected=self._checked("protected", _flag) or False,
        )

    def _fault(self, column: str, says: str) -> None:
        self.faults.append(RowFault(self._line, column, says))

    def _text(self, column: str) -> str:
        value = self._values[column]
        if not value:
            self._fault(column, "is empty")
        elif len(value) > MAX_TEXT or not is_readable_line(value):
            self._fault(column, f"expected at most {MAX_TEXT} printable characters")
        return one_line(value)

    def _checked(self, column: str, read: Callable[[str], T]) -> T:
        try:
            return read(self._values[column])
        except ValueError as fault:
            self._fault(column, str(fault))
            return None  # type: ignore[return-value]

    def _number(self, column: str, least: int, most: int) -> int:
        value = self._values[column]
        number = int(value) if value.isascii() and value.isdigit() else -1
        if not least <= number <= most:
            self._fault(column, f"{value!r} is no number from {least} to {most}")
        return number

    def _amount(self, column: str) -> int:
        return self._checked(column, _amount) or 0

    def _language(self) -> str:
        value = self._values["language"]
        if not (len(value) == 2 and value.isascii() and value.islower()):
            self._fault("language", f"{value!r} is no two-letter code")
        return value

    def _contacts(self) -> tuple[Contact, ...]:
        channels = (("sms", "phone"), ("email", "email"))
        return tuple(
            Contact.model_validate({"channel": channel, "address": self._values[column]})
            for channel, column in channels
            if self._values[column]
        )


def _zone(name: str) -> str:
    if not is_zone(name):
        raise ValueError(f"{name!r} is no region of the IANA data base")
    return name


def _currency(code: str) -> str:
    if not is_currency(code):
        raise ValueError(f"{code!r} is no ISO 4217 code")
    return code


def _commodity(name: str) -> str:
    if name not in COMMODITIES:
        raise ValueError(f"{name!r} is none of {', '.join(COMMODITIES)}")
    return name


def _register(value: str) -> int:
    try:
        register_wh = Decimal(value) * 1000
        whole = register_wh == register_wh.to_integral_value()
    except InvalidOperation:
        raise ValueError(f"{value!r} is no number of kWh") from None
    if not whole or not 0 <= register_wh < 2**63:
        raise ValueError(f"{value!r} is no register with at most three decimals")
    return int(register_wh)


def _amount(value: str) -> int:
    try:
        amount_micro = parse_amount(value or "0")
    except AmountError as fault:
        raise ValueError(f"{value!r} is no amount: {fault.code}") from None
    if amount_micro < 0:
        raise ValueError(f"{value} is negative")
    return amount_micro


def _flag(value: str) -> bool:
    if value not in {"", "yes", "no"}:
        raise ValueError(f"{value!r} is neither yes nor no")
    return value == "yes"
