"""Accounts taken over from a file: all checked first, their money there before they are judged."""

import csv
import io

from tests.integration.ledger.house import M
from typer.testing import CliRunner

from npms_ledger.cli import app
from npms_ledger.handlers.import_accounts import Totals, import_accounts
from npms_ledger.handlers.import_rows import COLUMNS, read_file
from npms_shared.actor import Actor

BY = Actor("the-migrator", ("admin",))


def line(number: int, **changes: str) -> dict[str, str]:
    return {
        "external_reference": f"OLD-{number}",
        "customer_name": f"Customer {number}",
        "language": "en",
        "phone": "+254700000001",
        "email": "",
        "time_zone": "Africa/Nairobi",
        "currency": "KES",
        "usage_point": f"Door {number}",
        "commodity": "electricity",
        "max_power_w": "10000",
        "meter_serial": f"I{number}",
        "profile": "p1",
        "host": "127.0.0.1",
        "port": "0",
        "unit_id": "1",
        "opening_register_kwh": "100.000",
        "plan_code": "household",
        "credit_policy": "standard",
        "customer_class": "",
        "opening_credit": "",
        "opening_debt": "",
        "protected": "",
        **changes,
    }


def file(*lines: dict[str, str]) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS)
    writer.writeheader()
    writer.writerows(lines)
    return out.getvalue()


THREE = file(
    line(1, opening_credit="75.50"),
    line(2, opening_debt="40", customer_class="indigent"),
    line(3, opening_credit="10", opening_debt="5"),
)
SAID = Totals(3, {"KES": 85_500_000}, {"KES": 45 * M})


async def run(house, text: str, said: Totals = SAID, *, dry_run: bool = False):
    return await import_accounts(
        house.database,
        io.StringIO(text, newline=""),
        said=said,
        by=BY,
        clock=house.clock,
        dry_run=dry_run,
    )


async def test_c5_opening_credit_and_debt_are_posted_before_the_first_decision(house):
    report = await run(house, THREE)
    assert (report.faults, report.opened, report.known) == ([], 3, 0)
    shown = [await house.account(number) for number in (1, 2, 3)]
    assert [one["balance"]["amount"] for one in shown] == ["75.500000", "0.000000", "10.000000"]
    assert [one["debt"]["amount"] for one in shown] == ["0.000000", "40.000000", "5.000000"]
    assert [one["supply_desired"] for one in shown] == ["on", "off", "on"]
    desired = [(one["state"], one["revision"]) for one in await house.events("supply_desired")]
    assert desired == [("on", 1), ("off", 1), ("on", 1)], "never cut in between"
    assert await house.events("credit_exhausted") == []
    sums = await house.rows(
        "SELECT ledger_account, sum(amount_micro) AS total FROM system_posting GROUP BY 1"
    )
    assert {row.ledger_account: int(row.total) for row in sums} == {
        "opening_credit": -85_500_000,
        "opening_debt": 45 * M,
    }
    assert shown[1]["customer_class"] == "indigent"
    trail = await house.items("/v1/audit-trail?by=the-migrator")
    assert [one["after"]["external_reference"] for one in trail] == ["OLD-3", "OLD-2", "OLD-1"]
    assert await house.broken() == []


async def test_an_import_given_again_opens_only_what_is_new(house):
    await run(house, file(line(1, opening_credit="75.50")), Totals(1, {"KES": 75_500_000}, {}))
    report = await run(house, THREE)
    assert (report.faults, report.opened, report.known) == ([], 2, 1)
    again = await run(house, THREE)
    assert (again.faults, again.opened, again.known) == ([], 0, 3)
    assert len(await house.rows("SELECT 1 FROM account")) == 3
    changed = THREE.replace("75.50", "85.50").replace("10,5", "0,5")
    report = await run(house, changed)
    assert {(fault.line, fault.column) for fault in report.faults} == {
        (2, "external_reference"),
        (4, "external_reference"),
    }


async def test_a_dry_run_opens_nothing(house):
    report = await run(house, THREE, dry_run=True)
    assert (report.faults, len(report.to_open), report.opened) == ([], 3, 0)
    assert await house.rows("SELECT 1 FROM account") == []
    assert await house.rows("SELECT 1 FROM imported_account") == []


async def test_totals_that_differ_open_nothing(house):
    report = await run(house, THREE, Totals(4, {"KES": 85 * M}, {"KES": 45 * M, "ZAR": 1}))
    assert [(fault.line, fault.column) for fault in report.faults] == [
        (0, ""),
        (0, "opening_credit"),
        (0, "opening_debt"),
    ]
    assert await house.rows("SELECT 1 FROM account") == []


async def test_what_only_the_database_knows_is_said_by_line(house):
    await house.open()
    text = file(
        line(1, plan_code="none"),
        line(2, profile="none"),
        line(3, credit_policy="none"),
        line(4, meter_serial="M1"),
        line(5),
    )
    report = await run(house, text, Totals(5, {}, {}))
    assert [fault.line for fault in report.faults] == [2, 3, 4, 5]
    assert len(await house.rows("SELECT 1 FROM account")) == 1


def test_each_fault_of_a_line_is_named_by_its_column():
    wrong = {
        "external_reference": "",
        "language": "english",
        "time_zone": "Mars/Olympus",
        "currency": "kes",
        "commodity": "steam",
        "max_power_w": "0",
        "port": "70000",
        "unit_id": "x",
        "opening_register_kwh": "1.0001",
        "opening_credit": "-1",
        "opening_debt": "1,5",
        "protected": "true",
    }
    read = read_file(io.StringIO(file(line(1), line(2, **wrong))))
    assert {(fault.line, fault.column) for fault in read.faults} == {(3, name) for name in wrong}
    assert [row.reference for row in read.rows] == ["OLD-1"]


def test_a_file_in_another_form_is_refused():
    assert [f.column for f in read_file(["external_reference,colour\n"]).faults][-1] == "colour"
    assert len(read_file(["external_reference\n"]).faults) == len(COLUMNS) - 1
    short = file(line(1)) + "OLD-2,only\n"
    assert [(f.line, f.column) for f in read_file(io.StringIO(short)).faults] == [(3, "")]
    twins = read_file(io.StringIO(file(line(1), line(2, external_reference="OLD-1"), line(1))))
    assert [(f.line, f.column) for f in twins.faults] == [
        (3, "external_reference"),
        (4, "external_reference"),
        (4, "meter_serial"),
    ]


def environment(house) -> dict[str, str]:
    return {
        "NPMS_LEDGER_DATABASE_URL": house.made.url,
        "NPMS_LEDGER_AMQP_URL": "amqp://nowhere.invalid/",
        "NPMS_LEDGER_JWKS_PATH": str(house.issuer.jwks_path),
    }


async def test_the_command_line_says_what_it_did(house, tmp_path):
    import asyncio

    path = tmp_path / "accounts.csv"
    path.write_text(THREE, encoding="utf-8")
    options = ["--by", "the-migrator", "--credit", "KES=85.50", "--debt", "KES=45"]
    runner, asked = CliRunner(env=environment(house)), ["import-accounts", str(path), *options]

    async def call(*words: str):
        return await asyncio.to_thread(runner.invoke, app, list(words))

    wrong = await call(*asked, "--count", "4")
    assert wrong.exit_code == 1
    assert "3 accounts, 4 were expected" in wrong.output
    dry = await call(*asked, "--count", "3", "--dry-run")
    assert (dry.exit_code, "would open OLD-1" in dry.output) == (0, True), dry.output
    done = await call(*asked, "--count", "3")
    assert (done.exit_code, "3 opened" in done.output) == (0, True), done.output
    sealed = await call("verify-seals")
    assert (sealed.exit_code, "3 seals, 0 broken" in sealed.output) == (0, True), sealed.output
