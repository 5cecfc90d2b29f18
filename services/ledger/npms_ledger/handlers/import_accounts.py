"""Accounts taken over from elsewhere with what they are owed and owe: all checked before any opens.

A file is opened in portions of one transaction each; each reference once, so that an import that
was broken off is continued by giving the file again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.errors import LedgerError
from npms_ledger.handlers import audit_facts
from npms_ledger.handlers.import_rows import ImportRow, RowFault, read_file
from npms_ledger.handlers.open_account import check_command, open_account
from npms_ledger.storage import imports
from npms_shared.actor import Actor
from npms_shared.clock import Clock
from npms_shared.db import audit_trail
from npms_shared.db.engine import Database
from npms_shared.money import format_amount

PORTION = 50


@dataclass(frozen=True, slots=True)
class Totals:
    """What the sender of a file says is in it; amounts in micro-units by currency."""

    accounts: int
    credits_micro: Mapping[str, int]
    debts_micro: Mapping[str, int]


@dataclass(slots=True)
class ImportReport:
    """`to_open` and `known` are of a file without faults; `opened` is what this run has done."""

    faults: list[RowFault] = field(default_factory=list)
    found: Totals = field(default_factory=lambda: Totals(0, {}, {}))
    to_open: list[ImportRow] = field(default_factory=list)
    known: int = 0
    opened: int = 0


async def import_accounts(
    database: Database,
    lines: Iterable[str],
    *,
    said: Totals,
    by: Actor,
    clock: Clock,
    dry_run: bool,
) -> ImportReport:
    """Open every account of a file that was not opened before, unless anything in it is wrong."""
    read = read_file(lines)
    report = ImportReport(faults=read.faults, found=_totals(read.rows))
    if not report.faults:
        report.faults += _differences(report.found, said)
    if not report.faults:
        async with database.connect() as conn:
            await _check(conn, report, read.rows, clock.now())
    if report.faults or dry_run:
        return report
    for begin in range(0, len(report.to_open), PORTION):
        async with database.transaction() as conn:
            for row in report.to_open[begin : begin + PORTION]:
                report.opened += await _open(conn, row, by=by, now=clock.now())
    return report


def _totals(rows: Sequence[ImportRow]) -> Totals:
    credits_micro: Counter[str] = Counter()
    debts_micro: Counter[str] = Counter()
    for row in rows:
        credits_micro[row.command.currency] += row.command.opening_credit_micro
        debts_micro[row.command.currency] += row.command.opening_debt_micro
    return Totals(len(rows), credits_micro, debts_micro)


def _differences(found: Totals, said: Totals) -> list[RowFault]:
    faults = []
    if found.accounts != said.accounts:
        faults.append(RowFault(0, "", f"{found.accounts} accounts, {said.accounts} were expected"))
    sides = (
        ("opening_credit", found.credits_micro, said.credits_micro),
        ("opening_debt", found.debts_micro, said.debts_micro),
    )
    for column, have, want in sides:
        for currency in sorted({*have, *want}):
            amounts = have.get(currency, 0), want.get(currency, 0)
            if amounts[0] != amounts[1]:
                first, second = map(format_amount, amounts)
                says = f"sums to {first} {currency}, {second} was expected"
                faults.append(RowFault(0, column, says))
    return faults


async def _check(
    conn: AsyncConnection, report: ImportReport, rows: Sequence[ImportRow], now: datetime
) -> None:
    """What the database knows better: plans, profiles, policies, meters, earlier imports."""
    fingerprints = await imports.fingerprints(conn, [row.reference for row in rows])
    for row in rows:
        before = fingerprints.get(row.reference)
        if before is not None:
            report.known += 1
            if before != row.fingerprint:
                says = "was imported before, with other values"
                report.faults.append(RowFault(row.line, "external_reference", says))
            continue
        try:
            await check_command(conn, row.command, now=now)
        except LedgerError as fault:
            report.faults.append(RowFault(row.line, "", str(fault)))
        else:
            report.to_open.append(row)


async def _open(conn: AsyncConnection, row: ImportRow, *, by: Actor, now: datetime) -> bool:
    """Whether it was opened now; another run may have been faster."""
    if not await imports.claim(
        conn, row.reference, fingerprint=row.fingerprint, by=by.subject, now=now
    ):
        return False
    opened = await open_account(conn, row.command, now=now, by=by.subject)
    account_id = opened.account.account_id
    await imports.note_account(conn, row.reference, account_id)
    await audit_trail.note(
        conn,
        by,
        "account_imported",
        subject=audit_facts.of_account(account_id),
        now=now,
        after={"external_reference": row.reference, **audit_facts.money_of(opened.account)},
    )
    return True
