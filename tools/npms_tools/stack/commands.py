"""`npms stack …` and `npms token`."""

import signal
from datetime import timedelta
from typing import Annotated

import typer

from npms_tools.stack.errors import last_lines
from npms_tools.stack.issuer import ROLES
from npms_tools.stack.local import Stack, known_stacks
from npms_tools.stack.services import Services

app = typer.Typer()

Name = Annotated[str, typer.Option(help="which stack: its own nodes, ports and data")]

Every = Annotated[bool, typer.Option("--all", help="every stack of this checkout")]


@app.command()
def up(name: Name = "demo") -> None:
    """Start the nodes that do not run yet; install the servers if they are missing."""
    Stack(name).up(typer.echo)


@app.command()
def down(name: Name = "demo", *, every: Every = False) -> None:
    """Stop what was started here; data is kept."""
    for stack in _chosen(name, every=every):
        stack.down()
        typer.echo(f"stack {stack.name}: stopped")


@app.command()
def clean(name: Name = "demo", *, every: Every = False) -> None:
    """Stop, and remove the data, keys and passwords."""
    for stack in _chosen(name, every=every):
        stack.clean()
        typer.echo(f"stack {stack.name}: removed")


@app.command()
def status(name: Name = "demo") -> None:
    """Say what runs."""
    for part, word in Stack(name).status().items():
        typer.echo(f"{part}: {word}")


@app.command()
def env(name: Name = "demo") -> None:
    """Print the URLs as shell variables, passwords included."""
    urls = Stack(name).urls()
    typer.echo(f"export NPMS_POSTGRES_URL='{urls.postgres_admin_url}'")
    typer.echo(f"export NPMS_AMQP_URL='{urls.amqp_url}'")
    if urls.management_url:
        typer.echo(f"export NPMS_MANAGEMENT_URL='{urls.management_url}'")


@app.command()
def migrate(name: Name = "demo") -> None:
    """Start the nodes, make the databases and bring them to their newest revisions."""
    _prepared(name).migrate(typer.echo)
    typer.echo("migrated")


@app.command()
def serve(name: Name = "demo") -> None:
    """Run the five services until Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    services = _prepared(name)
    services.migrate(typer.echo)
    services.start(typer.echo)
    typer.echo("Ctrl-C stops the services; the nodes stay until `make down`.")
    try:
        signal.pause()
    except KeyboardInterrupt:
        typer.echo("stopping")
    finally:
        services.stop()


@app.command()
def logs(name: Name = "demo", lines: Annotated[int, typer.Option(min=1)] = 20) -> None:
    """Print the last lines of every log."""
    for log in Stack(name).logs():
        typer.echo(f"==> {log}")
        for line in last_lines(log, lines):
            typer.echo(f"  {line}")


def _chosen(name: str, *, every: bool) -> list[Stack]:
    return [Stack(one) for one in known_stacks()] if every else [Stack(name)]


def _prepared(name: str) -> Services:
    stack = Stack(name)
    stack.up(typer.echo)
    return Services(stack)


def token(
    role: Annotated[list[str], typer.Option(help=f"one or more of {', '.join(ROLES)}")],
    customer: Annotated[int | None, typer.Option(help="whose accounts a customer sees")] = None,
    partner: Annotated[str | None, typer.Option(help="whose float a partner sees")] = None,
    subject: Annotated[str, typer.Option(help="who it is, for the audit trail")] = "developer",
    hours: Annotated[float, typer.Option(help="how long it is good for", min=0.01)] = 12,
    name: Name = "demo",
) -> None:
    """Print a token of the development issuer."""
    try:
        issued = Stack(name).issuer.issue_token(
            subject,
            role,
            customer_id=customer,
            partner_id=partner,
            lifetime=timedelta(hours=hours),
        )
    except ValueError as fault:
        raise typer.BadParameter(str(fault)) from None
    typer.echo(issued)
