"""`npms plan check`, `npms plan simulate` and `npms plan import-urdb`."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from npms_operations.errors import CommandError
from npms_operations.installation import ProfilePath, Url, find_installation
from npms_operations.plan.checking import flaws_of_file
from npms_operations.plan.importing import import_urdb
from npms_operations.plan.report import show, watch
from npms_operations.plan.simulating import Line, simulation

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
    profile: ProfilePath = None,
    url: Url = None,
    lines: Annotated[Path | None, typer.Option(help="also write every line to this file")] = None,
) -> None:
    """Rate what accounts used under another version or a draft; show what would differ."""
    of = {"account_id": account, "customer_class": customer_class, "plan_code": plan}
    body = {
        "of": _given(of),
        "under": _given({"plan_code": under, "version": version, "document": _read(document)}),
        **_given({"from": begin, "to": end}),
    }
    installation = find_installation(profile, url, of="tariff")
    console = Console()
    total, most = watch(_kept(simulation(installation, body), lines), console)
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
        raise CommandError(f"{path} is no JSON: {fault}") from None
    return content.get("document", content) if isinstance(content, dict) else content


def _kept(said: Iterable[Line], path: Path | None) -> Iterator[Line]:
    """The same lines, written to a file on the way."""
    if path is None:
        yield from said
        return
    with path.open("w") as file:
        for line in said:
            file.write(json.dumps(line) + "\n")
            yield line
