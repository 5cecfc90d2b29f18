"""`npms-meter-gateway run | api | worker | migrate | restored | tell-again | parked …`, and of
its own `import`.
"""

import asyncio
from pathlib import Path
from typing import Annotated

import typer

from npms_meter_gateway.bootstrap import build, make_context
from npms_meter_gateway.domain.verdicts import WORDS
from npms_meter_gateway.handlers.import_readings import ImportReport, import_readings
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.actor import Actor
from npms_shared.cli import make_cli
from npms_shared.clock import clock_from_environment
from npms_shared.parked_cli import By
from npms_shared.settings import load_settings

app = make_cli(MeterGatewaySettings, build, help_text="Reads meters and works their relays.")


@app.command("import")
def import_(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="CSV, UTF-8")],
    by: By,
    dry_run: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--dry-run", help="judge everything, store nothing")
    ] = False,
) -> None:
    """Take readings from a file; exit 1 naming what cannot be read.

    Columns: serial or installation_id, taken_at with its offset, register_kwh or register_wh.
    """
    raise typer.Exit(
        code=_tell(asyncio.run(_import(file, Actor(by), dry_run=dry_run)), dry_run=dry_run)
    )


async def _import(file: Path, by: Actor, *, dry_run: bool) -> ImportReport:
    context = make_context(load_settings(MeterGatewaySettings), clock_from_environment())
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            text = lines.read()
        return await import_readings(ReadingRecorder(context), text, by=by, dry_run=dry_run)
    finally:
        await context.database.close()


def _tell(report: ImportReport, *, dry_run: bool) -> int:
    for fault in report.faults:
        column = f", {fault.column}" if fault.column else ""
        typer.echo(f"line {fault.line}{column}: {fault.says}", err=True)
    if report.faults:
        typer.echo(f"{len(report.faults)} faults; nothing was taken", err=True)
        return 1
    for imported in report.lines:
        typer.echo(f"line {imported.line}: {imported.verdict}: {WORDS[imported.verdict]}")
    outcome = "would be stored" if dry_run else "stored"
    typer.echo(f"{len(report.lines)} readings: {report.accepted} {outcome}")
    return 0


if __name__ == "__main__":
    app()
