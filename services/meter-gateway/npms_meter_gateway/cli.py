"""`npms-meter-gateway run | api | worker | migrate | restored | tell-again | parked …`, and of
its own `import`.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from npms_meter_gateway.bootstrap import build, reading_desk
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.import_readings import ImportReport, import_readings
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.bootstrap import open_database
from npms_shared.cli import make_cli
from npms_shared.settings import load_settings

app = make_cli(MeterGatewaySettings, build, help_text="Reads meters and works their relays.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, UTF-8")],
    dry_run: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--dry-run", help="judge everything, store nothing")
    ] = False,
) -> None:
    """Take readings from a file; exit 1 naming what cannot be read.

    Columns: serial or installation_id, taken_at with its offset, register_kwh or register_wh.
    """
    raise typer.Exit(code=_tell(asyncio.run(_import(file, dry_run=dry_run)), dry_run=dry_run))


async def _import(file: Path, *, dry_run: bool) -> ImportReport:
    settings = load_settings(MeterGatewaySettings)
    database = open_database(settings, service="meter-gateway")
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            return await import_readings(reading_desk(settings, database), lines, dry_run=dry_run)
    finally:
        await database.close()


def _tell(report: ImportReport, *, dry_run: bool) -> int:
    for fault in report.faults:
        column = f", {fault.column}" if fault.column else ""
        typer.echo(f"line {fault.line}{column}: {fault.says}", err=True)
    if report.faults:
        typer.echo(f"{len(report.faults)} faults; nothing was taken", err=True)
        return 1
    for one in report.lines:
        typer.echo(f"line {one.line}: {one.verdict}: {WORDS[one.verdict]}")
    word = "would be stored" if dry_run else "stored"
    typer.echo(f"{len(report.lines)} readings: {report.accepted} {word}")
    return 0


if __name__ == "__main__":
    app()
