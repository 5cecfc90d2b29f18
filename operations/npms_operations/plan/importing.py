"""`npms plan import-urdb`: a plan document from a file of the Utility Rate Database."""

import json
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import ValidationError

from npms_operations.errors import CommandError
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.checking import InvalidPlan, check
from npms_tariff.importing import urdb
from npms_tariff.importing.findings import CannotImport, Imported

KINDS = {"left_out": "left out", "differs": "differs"}


def import_urdb(
    file: Annotated[Path, typer.Argument(help="JSON of OpenEI's Utility Rate Database")],
    *,
    out: Annotated[Path | None, typer.Option(help="where the plan document goes")] = None,
    label: Annotated[str, typer.Option(help="which rate, where the file has several")] = "",
    strict: Annotated[bool, typer.Option("--strict", help="fail where anything is lost")] = False,
) -> None:
    """Make a plan document of a URDB rate; say on stderr what could not be carried over."""
    made = _converted(_chosen(_read(file), label))
    for finding in made.findings:
        typer.echo(f"{KINDS[finding.kind]:>8}  {finding.pointer}: {finding.reason}", err=True)
    text = json.dumps(made.document, indent=2)
    if out is None:
        typer.echo(text)
    else:
        out.write_text(text + "\n")
        typer.echo(f"the plan document: {out}", err=True)
    if strict and made.findings:
        raise typer.Exit(code=1)


def _read(file: Path) -> list[Mapping[str, Any]]:
    try:
        return urdb.rates_of(json.loads(file.read_text(), parse_float=Decimal))
    except (OSError, ValueError) as fault:
        raise CommandError(f"{file} cannot be read as JSON: {fault}") from None
    except CannotImport as fault:
        raise CommandError(f"{file}: {fault.reason}") from None


def _chosen(rates: list[Mapping[str, Any]], label: str) -> Mapping[str, Any]:
    found = [rate for rate in rates if not label or rate.get("label") == label]
    if len(found) == 1:
        return found[0]
    labels = ", ".join(f"{rate.get('label')} ({rate.get('name')})" for rate in rates)
    raise CommandError(f"choose one of {len(rates)} rates with --label: {labels}")


def _converted(rate: Mapping[str, Any]) -> Imported:
    """The plan, checked as the service would check it."""
    try:
        made = urdb.convert(rate)
    except CannotImport as fault:
        raise CommandError(f"this rate cannot be a plan: {fault}") from None
    try:
        check(PlanDocument.model_validate(made.document).prices())
    except (ValidationError, InvalidPlan) as fault:
        raise CommandError(f"this rate makes no valid plan: {fault}") from None
    return made
