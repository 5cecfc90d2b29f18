"""`npms audit`."""

import asyncio
import os
from pathlib import Path
from typing import Annotated

import asyncpg
import httpx
import typer

from npms_operations.audit.places import find_places
from npms_operations.audit.proof import LOOK_AGAIN_S, Options, prove
from npms_operations.audit.report import table, write_json
from npms_operations.audit.rules import CHECKS
from npms_operations.errors import CommandError
from npms_operations.installation import variable_of


def audit(
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

    The databases are those of NPMS_<SERVICE>_DATABASE_URL; a role that may read is enough. Queues
    are looked at over NPMS_MANAGEMENT_URL, in the virtual host of NPMS_AMQP_URL if given.
    """
    options = Options(
        drain_seconds=drain_seconds,
        sample=sample,
        stale_minutes=stale_minutes,
        look_again_s=() if once else LOOK_AGAIN_S,
    )
    places = find_places(os.environ)
    try:
        work = prove(places, options, checks=CHECKS, progress=_progress)
        results = asyncio.run(work)
    except (OSError, asyncpg.PostgresError, httpx.HTTPError) as fault:
        example = variable_of("ledger", "database_url")
        advice = f"are the services' databases up and migrated? ({example} …)"
        raise CommandError(f"the audit cannot read: {fault!r}", advice=advice) from None
    for line in table(results):
        typer.echo(line)
    if json is not None:
        write_json(results, json)
    if not all(result.holds for result in results):
        raise typer.Exit(1)


def _progress(line: str) -> None:
    typer.echo(line, err=True)
