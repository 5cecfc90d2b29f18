"""`npms why charge|balance|cut|top-up`."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from npms_operations.asking import ask
from npms_operations.installation import Installation, ProfilePath, Url, find_installation
from npms_operations.why import words

app = typer.Typer()

Account = Annotated[int, typer.Argument(help="the account's number", min=1)]
Json = Annotated[bool, typer.Option("--json", help="print the answer as JSON")]


@app.command()
def charge(
    account: Account,
    seq: Annotated[int, typer.Argument(help="the posting's number on the statement", min=1)],
    profile: ProfilePath = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Why a charge, or any other posting, is as it is."""
    installation = _installation(profile, url)
    answer = ask(installation, "ledger", f"/v1/accounts/{account}/postings/{seq}/why")
    lines = list(words.of_charge(answer))
    if answer["charge"] is not None and not as_json:
        lines += words.of_rating(ask(installation, "tariff", answer["charge"]["rating"]))
    _say(answer, lines, as_json=as_json)


@app.command()
def balance(
    account: Account,
    begin: Annotated[
        str | None, typer.Option("--from", help="e.g. 2026-11-01T00:00:00+03:00")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="the same, exclusive")] = None,
    profile: ProfilePath = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Where the money went: opening, what came and went, closing."""
    span = {name: at for name, at in (("from", begin), ("to", end)) if at is not None}
    answer = ask(_installation(profile, url), "ledger", f"/v1/accounts/{account}/why", **span)
    _say(answer, words.of_balance(answer), as_json=as_json)


@app.command()
def cut(
    account: Account,
    profile: ProfilePath = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Why supply was cut last, what had avoided it, and where the money went."""
    answer = ask(_installation(profile, url), "ledger", f"/v1/accounts/{account}/supply/why")
    _say(answer, words.of_cut(answer), as_json=as_json)


@app.command()
def top_up(
    payment_id: Annotated[str, typer.Argument(help="the payment's id")],
    profile: ProfilePath = None,
    url: Url = None,
    as_json: Json = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Where a payment went, in the order of the waterfall."""
    answer = ask(_installation(profile, url), "ledger", f"/v1/payments/{payment_id}/why")
    _say(answer, words.of_top_up(answer), as_json=as_json)


def _installation(profile: Path | None, urls: list[str] | None) -> Installation:
    return find_installation(profile, urls, of="ledger")


def _say(answer: Any, lines: Iterable[str], *, as_json: bool) -> None:
    typer.echo(json.dumps(answer, indent=2) if as_json else "\n".join(lines))
