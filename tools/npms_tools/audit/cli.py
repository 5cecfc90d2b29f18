"""`npms audit`."""

import asyncio
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx
import typer

from npms_tools.audit.places import find_places
from npms_tools.audit.proof import LOOK_AGAIN_S, Options, prove
from npms_tools.audit.report import table, write_json
from npms_tools.audit.rules import CHECKS
from npms_tools.stack.errors import StackError
from npms_tools.stack.services import variable_of


def audit(
    stack: Annotated[str, typer.Option(help="local stack whose databases are audited")] = "demo",
    drain_seconds: Annotated[
        float, typer.Option(help="how long to wait for outboxes and queues to empty", min=0)
    ] = 20,
    sample: Annotated[
        int, typer.Option(help="how many installations the slow rater rates; 0 for all", min=0)
    ] = 200,
    stale_minutes: Annotated[
        int, typer.Option(help="how long a relay may be seen other than desired", min=0)
    ] = 10,
    once: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--once", help="say at once what is broken; when nothing else runs")
    ] = False,
    json: Annotated[Path | None, typer.Option(help="also write the result to this file")] = None,
) -> None:
    """Prove that money and energy were conserved; exit 1, naming what is broken, if not.

    Databases given as NPMS_<SERVICE>_DATABASE_URL are taken from there.
    """
    options = Options(
        drain_seconds=drain_seconds,
        sample=sample,
        stale_minutes=stale_minutes,
        look_again_s=() if once else LOOK_AGAIN_S,
    )
    places = find_places(stack)
    try:
        work = prove(places, options, checks=CHECKS, progress=_progress)
        results = asyncio.run(work)
    except (OSError, asyncpg.PostgresError, httpx.HTTPError) as fault:
        example = variable_of("ledger", "database_url")
        advice = f"are the services' databases up and migrated? ({example} …)"
        raise StackError(f"the audit cannot read: {fault!r}", advice=advice) from None
    for line in table(results):
        typer.echo(line)
    if json is not None:
        write_json(results, json)
    if not all(result.holds for result in results):
        raise typer.Exit(1)


def _progress(line: str) -> None:
    typer.echo(line, err=True)
