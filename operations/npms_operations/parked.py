"""`npms parked list | show | replay | drop`: messages that a service could not apply, over REST.

Who decides is who the token names; where a service's API is down, `npms-<service> parked` in its
image does the same on the database.
"""

import json
from typing import Annotated, Any
from uuid import UUID

import typer

from npms_operations.asking import ask
from npms_operations.installation import SERVICES, ProfilePath, Url, find_installation

app = typer.Typer()

Service = Annotated[str, typer.Argument(help=f"one of {', '.join(SERVICES)}")]
ParkedId = Annotated[UUID, typer.Argument(help="as `list` shows it")]
Reason = Annotated[str, typer.Option("--reason", help="why; kept on record")]
PLACE = "/v1/parked-messages"


@app.command("list")
def list_parked(
    service: Service, limit: int = 100, profile: ProfilePath = None, url: Url = None
) -> None:
    """The oldest first."""
    page = ask(find_installation(profile, url, of=service), service, PLACE, limit=limit)
    for row in page["items"]:
        where = f"{row['queue']}  {row['code']}: {row['reason']}"
        typer.echo(f"{row['id']}  {row['parked_at']}  {where}")
    typer.echo(f"{len(page['items'])} parked")


@app.command()
def show(
    service: Service, parked_id: ParkedId, profile: ProfilePath = None, url: Url = None
) -> None:
    """Everything of one."""
    installation = find_installation(profile, url, of=service)
    typer.echo(json.dumps(ask(installation, service, f"{PLACE}/{parked_id}"), indent=2))


@app.command()
def replay(
    service: Service,
    parked_id: ParkedId,
    reason: Reason,
    profile: ProfilePath = None,
    url: Url = None,
) -> None:
    """Send it to its queue again."""
    installation = find_installation(profile, url, of=service)
    place = f"{PLACE}/{parked_id}/replay"
    _say(ask(installation, service, place, body={"reason": reason}))


@app.command()
def drop(
    service: Service,
    parked_id: ParkedId,
    reason: Reason,
    profile: ProfilePath = None,
    url: Url = None,
) -> None:
    """Give it up."""
    installation = find_installation(profile, url, of=service)
    _say(ask(installation, service, f"{PLACE}/{parked_id}/drop", body={"reason": reason}))


def _say(answer: Any) -> None:
    typer.echo(answer["state"])
