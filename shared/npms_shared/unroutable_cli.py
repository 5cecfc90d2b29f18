"""`unroutable list | show | retry | retry-all | drop`: what the broker had no queue for."""

from collections.abc import Callable
from functools import partial
from uuid import UUID

import typer

from npms_shared.actor import Actor
from npms_shared.db.engine import Database
from npms_shared.messaging import unroutable
from npms_shared.parked_cli import By, Reason, echo_record, on_database


def make_unroutable_cli(open_database: Callable[[], Database]) -> typer.Typer:
    """The verbs, on a database that is opened when one is called and closed after it."""
    app = typer.Typer(help="Messages that the broker had no queue for.", no_args_is_help=True)
    _add_looking(app, open_database)
    _add_settling(app, open_database)
    return app


def _add_looking(app: typer.Typer, open_database: Callable[[], Database]) -> None:
    @app.command("list")
    def list_set_aside(limit: int = 100) -> None:
        """In the order in which they were said."""
        rows = on_database(open_database(), partial(unroutable.list_set_aside, limit=limit))
        for row in rows:
            typer.echo(f"{row.id}  {row.set_aside_at:%F %T}  {row.type}  {row.reason}")
        typer.echo(f"{len(rows)} set aside")

    @app.command()
    def show(unroutable_id: UUID) -> None:
        """Everything of one."""
        find = partial(unroutable.get_unroutable, unroutable_id=unroutable_id)
        echo_record(on_database(open_database(), find))


def _add_settling(app: typer.Typer, open_database: Callable[[], Database]) -> None:
    @app.command()
    def retry(unroutable_id: UUID, by: By, reason: Reason) -> None:
        """Say it again."""
        again = partial(unroutable.retry, unroutable_id=unroutable_id, by=Actor(by), reason=reason)
        on_database(open_database(), again)
        typer.echo("in the outbox")

    @app.command()
    def retry_all(by: By, reason: Reason) -> None:
        """Say all again, in the order in which they were said."""
        again = partial(unroutable.retry_all, by=Actor(by), reason=reason)
        count = on_database(open_database(), again)
        typer.echo(f"{count} in the outbox")

    @app.command()
    def drop(unroutable_id: UUID, by: By, reason: Reason) -> None:
        """Give it up."""
        give_up = partial(unroutable.drop, unroutable_id=unroutable_id, by=Actor(by), reason=reason)
        on_database(open_database(), give_up)
        typer.echo("dropped")
