"""`npms-ledger run | api | worker | migrate | restored | tell-again | parked …`, and
of its own `verify-seals`, `import-accounts` and `disown`.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from npms_ledger.bootstrap import build
from npms_ledger.handlers.disown import KnownHere, disown
from npms_ledger.handlers.import_accounts import ImportReport, Totals, import_accounts
from npms_ledger.handlers.verify_seals import broken_seals, chain_heads
from npms_ledger.settings import LedgerSettings
from npms_shared.actor import Actor
from npms_shared.cli import make_cli
from npms_shared.clock import clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.money import AmountError, format_amount, is_currency, parse_amount
from npms_shared.settings import load_settings

app = make_cli(
    LedgerSettings,
    build,
    help_text="Accounts, journal, credit policy and the desired supply state.",
)


@app.command()
def verify_seals() -> None:
    """Compare every journal with its seal; print the chains' heads; exit 1 if any was changed."""
    database = build(load_settings(LedgerSettings)).database
    raise typer.Exit(code=asyncio.run(_verify_seals(database)))


async def _verify_seals(database: Database) -> int:
    async with database.connect() as conn:
        heads, broken = await chain_heads(conn), await broken_seals(conn)
    await database.close()
    for head in heads:
        typer.echo(f"{head.chain} {head.seq} {head.hash.hex()}")
    for row in broken:
        typer.echo(f"journal {row.journal_id}: {row.says}")
    typer.echo(f"ledger: {sum(head.seq for head in heads)} seals, {len(broken)} broken")
    return 1 if broken else 0


@app.command("disown")
def disown_(installation: int, account: int) -> None:
    """Let others close INSTALLATION of ACCOUNT, opened after the backup that was restored."""
    database = build(load_settings(LedgerSettings)).database

    async def work() -> None:
        now = clock_from_environment().now()
        try:
            async with database.transaction() as conn:
                await disown(conn, installation, account_id=account, now=now)
        finally:
            await database.close()

    try:
        asyncio.run(work())
    except KnownHere as fault:
        typer.echo(str(fault), err=True)
        raise typer.Exit(code=1) from None
    typer.echo(f"installation {installation} of account {account} is closed elsewhere")


Sums = Annotated[list[str], typer.Option(help="CURRENCY=AMOUNT, once for each currency")]


@app.command("import-accounts")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, UTF-8")],
    count: Annotated[int, typer.Option(help="how many accounts the file has", min=1)],
    by: Annotated[str, typer.Option(help="who takes them over, for the audit trail")],
    credit: Sums = [],  # noqa: B006 - typer's way
    debt: Sums = [],  # noqa: B006
    dry_run: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--dry-run", help="check everything, open nothing")
    ] = False,
) -> None:
    """Open accounts from a file, with opening credits and debts; exit 1 naming what is wrong.

    Nothing is opened unless the number of accounts and the sums of credits and debts are as given.
    """
    said = Totals(count, _sums(credit), _sums(debt))
    database = build(load_settings(LedgerSettings)).database

    async def work() -> ImportReport:
        with file.open(encoding="utf-8", newline="") as lines:
            report = await import_accounts(
                database,
                lines,
                said=said,
                by=Actor(by, ("admin",)),
                clock=clock_from_environment(),
                dry_run=dry_run,
            )
        await database.close()
        return report

    raise typer.Exit(code=_tell(asyncio.run(work()), dry_run=dry_run))


def _sums(given: list[str]) -> dict[str, int]:
    sums = {}
    for text in given:
        currency, _, amount = text.partition("=")
        try:
            sums[currency] = parse_amount(amount)
        except AmountError as fault:
            raise typer.BadParameter(f"{text!r}: {fault.code}") from None
        if not is_currency(currency):
            raise typer.BadParameter(f"{text!r} does not begin with a currency")
    return sums


def _tell(report: ImportReport, *, dry_run: bool) -> int:
    for fault in report.faults:
        place = f"line {fault.line}" if fault.line else "file"
        typer.echo(f"{place}{', ' + fault.column if fault.column else ''}: {fault.says}", err=True)
    if report.faults:
        typer.echo(f"{len(report.faults)} faults; nothing was opened", err=True)
        return 1
    if dry_run:
        for row in report.to_open:
            command = row.command
            typer.echo(
                f"line {row.line}: would open {row.reference} with credit "
                f"{format_amount(command.opening_credit_micro)} and debt "
                f"{format_amount(command.opening_debt_micro)} {command.currency}"
            )
    word = f"{len(report.to_open)} would be opened" if dry_run else f"{report.opened} opened"
    typer.echo(f"{report.found.accounts} accounts: {word}, {report.known} were there before")
    return 0


if __name__ == "__main__":
    app()
