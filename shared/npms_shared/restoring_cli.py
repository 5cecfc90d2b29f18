"""`restored` and `tell-again`: what an operator does after a database was set back."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import datetime
from typing import Annotated

import structlog
import typer

from npms_shared.db.engine import Database
from npms_shared.db.restoring import SKIPPED, skip_numbers
from npms_shared.messaging.telling import tell_again
from npms_shared.runtime import Service

log = structlog.get_logger()

Since = Annotated[
    str | None,
    typer.Option(
        help="tell of what has a time only from then on: ISO 8601 with an offset, e.g. "
        "2026-11-02T06:00:00+00:00"
    ),
]


def add_restoring(app: typer.Typer, built: Callable[[], Service]) -> None:
    @app.command("tell-again")
    def again(since: Since = None) -> None:
        """Say again what others keep a copy of: the database of one of them was restored."""
        service = built()
        told = asyncio.run(_tell(service, _instant(since)))
        for name, number in sorted(told.items()):
            typer.echo(f"{name}: {number}")
        typer.echo(f"{service.name}: {told.total()} messages are in the outbox")

    @app.command()
    def restored(
        reason: Annotated[str, typer.Option(help="why it was restored, for the log")],
        by: Annotated[str, typer.Option(help="who did it")],
        skip: Annotated[
            int, typer.Option(help="numbers that ids and revisions skip", min=1)
        ] = SKIPPED,
    ) -> None:
        """This database was restored and its processes are stopped: skip every number that may
        have been given out since the backup. As the owner; `tell-again` follows.
        """
        service = built()
        asyncio.run(_go_on(service, skip))
        log.warning("database_restored", service=service.name, reason=reason, by=by, skipped=skip)
        typer.echo(f"{service.name}: skipped {skip} numbers")


def _instant(given: str | None) -> datetime | None:
    if given is None:
        return None
    try:
        instant = datetime.fromisoformat(given)
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    if instant.tzinfo is None:
        raise typer.BadParameter(f"{given!r} has no offset")
    return instant


async def _go_on(service: Service, skipped: int) -> None:
    """As the owner, in one transaction."""
    settings = service.settings
    url = settings.migration_database_url or settings.database_url
    owner = Database(url.get_secret_value(), application=f"npms-{service.name}-restored")
    try:
        async with owner.transaction() as conn:
            await skip_numbers(conn, skipped)
            if service.go_on is not None:
                await service.go_on(conn, skipped)
    finally:
        await owner.close()


async def _tell(service: Service, since: datetime | None) -> Counter[str]:
    try:
        if service.facts is None:
            return Counter()
        return await tell_again(service.database, service.facts, since=since)
    finally:
        await service.database.close()
