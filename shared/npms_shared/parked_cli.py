"""`parked list | show | replay | drop`: messages that could not be applied, by command."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from functools import partial
from typing import Annotated, Any, TypeVar
from uuid import UUID

import typer
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.db.engine import Database
from npms_shared.messaging import parked, unroutable
from npms_shared.messaging.subscriptions import Unprocessable

T = TypeVar("T")

By = Annotated[str, typer.Option("--by", help="Who decides; kept on record.")]
Reason = Annotated[str, typer.Option("--reason", help="Why; kept on record.")]


Opened = tuple[Database, parked.Reappliers]


def make_parked_cli(opened: Callable[[], Opened]) -> typer.Typer:
    """The verbs, on a database that is opened when one is called and closed after it."""
    app = typer.Typer(help="Messages that could not be applied.", no_args_is_help=True)
    _add_looking(app, lambda: opened()[0])
    _add_settling(app, opened)
    return app


def _add_looking(app: typer.Typer, open_database: Callable[[], Database]) -> None:
    @app.command("list")
    def list_parked(limit: int = 100) -> None:
        """The oldest first."""
        rows = on_database(open_database(), partial(parked.list_parked, limit=limit))
        for row in rows:
            typer.echo(
                f"{row.id}  {row.parked_at:%F %T}  {row.state}  {row.queue}  "
                f"{row.code}: {row.reason}"
            )
        typer.echo(f"{len(rows)} parked")

    @app.command()
    def show(parked_id: UUID) -> None:
        """Everything of one."""
        find = partial(parked.get_parked, parked_id=parked_id)
        echo_record(on_database(open_database(), find))


def _add_settling(app: typer.Typer, opened: Callable[[], Opened]) -> None:
    @app.command()
    def replay(parked_id: UUID, by: By, reason: Reason) -> None:
        """Send it to its queue again; it is listed as `replaying` until it was applied."""
        database, reappliers = opened()
        again = partial(parked.replay, parked_id=parked_id, reappliers=reappliers)
        state = on_database(database, partial(again, by=Actor(by), reason=reason))
        if state == "already_applied":
            typer.echo("it was applied already: nothing is sent, and it is settled", err=True)
            raise typer.Exit(code=1)
        typer.echo(state)

    @app.command()
    def drop(parked_id: UUID, by: By, reason: Reason) -> None:
        """Give it up."""
        give_up = partial(parked.drop, parked_id=parked_id, by=Actor(by), reason=reason)
        on_database(opened()[0], give_up)
        typer.echo("dropped")


def echo_record(record: Any) -> None:
    """A line for each field of a dataclass."""
    for name, value in asdict(record).items():
        typer.echo(f"{name}: {value!r}" if isinstance(value, bytes) else f"{name}: {value}")


def on_database(database: Database, work: Callable[[AsyncConnection], Awaitable[T]]) -> T:
    """Do it in a transaction; what is not there is said on stderr, with exit status 1."""

    async def inside() -> T:
        try:
            async with database.transaction() as conn:
                return await work(conn)
        except (parked.NotParked, unroutable.NotSetAside) as fault:
            typer.echo(f"{fault}; `list` shows what is", err=True)
            raise typer.Exit(code=1) from None
        except Unprocessable as fault:
            typer.echo(f"still not applied, still parked: {fault}", err=True)
            raise typer.Exit(code=1) from None
        finally:
            await database.close()

    return asyncio.run(inside())
