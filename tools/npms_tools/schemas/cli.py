"""`npms schemas`: writes golden schemas, AsyncAPI, OpenAPI and the JSON Schemas of files anew."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from npms_meter_gateway.profiles.schema import profile_schema
from npms_tariff.plan_schema import plan_schema
from npms_tools.schemas.asyncapi import asyncapi_document
from npms_tools.schemas.compatibility import breaking_changes
from npms_tools.schemas.contracts import CONTRACTS, sample_of, schema_of
from npms_tools.schemas.meter_table import with_table
from npms_tools.schemas.openapi import openapi_document
from npms_tools.schemas.places import API, GOLDEN, METERS, SAMPLES
from npms_tools.stack.services import SERVICES


def schemas(
    *,
    force: Annotated[
        bool, typer.Option("--force", help="also where a contract breaks its readers")
    ] = False,
) -> None:
    """Write golden schemas, AsyncAPI and OpenAPI; refuse a contract that breaks its readers."""
    breaks = find_breaks()
    for line in breaks:
        typer.echo(line, err=True)
    if breaks and not force:
        typer.echo("a contract only grows within a version: make a new one beside it", err=True)
        raise typer.Exit(code=1)
    changed = [path for path, text in everything() if write(path, text)]
    for contract, schema in _schemas().items():
        sample = SAMPLES / f"{contract}.json"
        if force or not sample.exists():
            write(sample, as_text(sample_of(schema)))
    typer.echo(f"{len(changed)} files written anew")


def find_breaks() -> list[str]:
    """What the contracts of today would break for readers of the golden ones."""
    return [
        f"{name}: {change}"
        for name, schema in _schemas().items()
        if (golden := GOLDEN / f"{name}.json").exists()
        for change in breaking_changes(json.loads(golden.read_text()), schema)
    ]


def everything() -> list[tuple[Path, str]]:
    """Every generated file with its text, except the samples, which are written once."""
    golden = [(GOLDEN / f"{name}.json", as_text(schema)) for name, schema in _schemas().items()]
    rest = [(API / f"openapi-{s}.json", as_text(openapi_document(s))) for s in SERVICES]
    forms = [
        (API / "plan.schema.json", as_text(plan_schema())),
        (API / "meter-profile.schema.json", as_text(profile_schema())),
        (METERS, with_table(METERS.read_text())),
    ]
    return [*golden, (API / "asyncapi.json", as_text(asyncapi_document())), *rest, *forms]


def as_text(document: Any) -> str:
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def write(path: Path, text: str) -> bool:
    """Whether the file was not so before."""
    if path.exists() and path.read_text() == text:
        return False
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return True


def _schemas() -> dict[str, dict[str, Any]]:
    return {name: schema_of(contract) for name, contract in CONTRACTS.items()}
