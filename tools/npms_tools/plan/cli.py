"""`npms plan check`, `npms plan simulate` and `npms plan import-urdb`."""

import json
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from npms_tools.plan.checking import flaws_of_file
from npms_tools.plan.importing import import_urdb
from npms_tools.plan.report import show, watch
from npms_tools.plan.simulating import Line, simulation
from npms_tools.stack.errors import StackError
from npms_tools.stack.local import Stack
from npms_tools.stack.ports import LOOPBACK

TOKEN_FROM = "NPMS_TOKEN"  # noqa: S105 - the name of a variable

app = typer.Typer()
app.command("import-urdb")(import_urdb)


@app.command()
def check(
    files: Annotated[
        list[Path], typer.Argument(help="documents, or bodies of POST /v1/plans", dir_okay=False)
    ],
) -> None:
    """Validate plans in files; exit 1 with the place of everything that is wrong."""
    flawed = False
    for path in files:
        flaws = flaws_of_file(path)
        flawed = flawed or bool(flaws)
        for flaw in flaws:
            typer.echo(f"{path}: {flaw.pointer or '/'}: {flaw.code}: {flaw.detail}", err=True)
        if not flaws:
            typer.echo(f"{path}: the plan is good")
    if flawed:
        raise typer.Exit(1)


@app.command()
def simulate(
    under: Annotated[str, typer.Option(help="code of the plan to simulate")],
    version: Annotated[int | None, typer.Option(help="its version or draft", min=1)] = None,
    document: Annotated[
        Path | None, typer.Option(help="or a file with a document", exists=True, dir_okay=False)
    ] = None,
    account: Annotated[int | None, typer.Option(help="of one account", min=1)] = None,
    customer_class: Annotated[
        str | None, typer.Option("--class", help="of a class of customers")
    ] = None,
    plan: Annotated[str | None, typer.Option(help="of everyone on a plan")] = None,
    begin: Annotated[
        str | None, typer.Option("--from", help="a full hour with its offset; else the last month")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="a full hour with its offset")] = None,
    url: Annotated[
        str | None,
        typer.Option(help=f"of a tariff service elsewhere; {TOKEN_FROM} has the token"),
    ] = None,
    lines: Annotated[Path | None, typer.Option(help="also write every line to this file")] = None,
    name: Annotated[str, typer.Option(help="which local stack")] = "demo",
) -> None:
    """Rate what accounts used under another version or a draft; show what would differ."""
    of = {"account_id": account, "customer_class": customer_class, "plan_code": plan}
    body = {
        "of": _given(of),
        "under": _given({"plan_code": under, "version": version, "document": _read(document)}),
        **_given({"from": begin, "to": end}),
    }
    place, token = _tariff(url, name)
    console = Console()
    total, most = watch(_kept(simulation(place, token, body), lines), console)
    show(total, most, console)


def _given(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _read(path: Path | None) -> Any:
    """The document in a file, or in a body in a file."""
    if path is None:
        return None
    try:
        content = json.loads(path.read_text())
    except ValueError as fault:
        raise StackError(f"{path} is no JSON: {fault}") from None
    return content.get("document", content) if isinstance(content, dict) else content


def _tariff(url: str | None, name: str) -> tuple[str, str]:
    """(URL, token) of the service given, or of the local stack."""
    if url is not None:
        token = os.environ.get(TOKEN_FROM, "")
        if not token:
            raise StackError(f"{TOKEN_FROM} has no token", advice="an operator's is needed")
        return url.rstrip("/"), token
    stack = Stack(name)
    port = stack.memory.port("service tariff")
    return f"http://{LOOPBACK}:{port}", stack.issuer.issue_token("developer", ["operator"])


def _kept(said: Iterable[Line], path: Path | None) -> Iterator[Line]:
    """The same lines, written to a file on the way."""
    if path is None:
        yield from said
        return
    with path.open("w") as file:
        for line in said:
            file.write(json.dumps(line) + "\n")
            yield line
