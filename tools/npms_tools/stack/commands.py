"""`npms stack …` and `npms token`."""

from datetime import timedelta
from typing import Annotated

import typer

from npms_tools.stack.issuer import ROLES
from npms_tools.stack.local import Stack

app = typer.Typer()

Name = Annotated[str, typer.Option(help="which stack: its own nodes, ports and data")]


@app.command()
def up(name: Name = "demo") -> None:
    """Start the nodes that do not run yet; install the servers if they are missing."""
    Stack(name).up(typer.echo)


@app.command()
def down(name: Name = "demo") -> None:
    """Stop what was started here; data is kept."""
    Stack(name).down()
    typer.echo(f"stack {name}: stopped")


@app.command()
def clean(name: Name = "demo") -> None:
    """Stop, and remove the data, keys and passwords."""
    Stack(name).clean()
    typer.echo(f"stack {name}: removed")


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
