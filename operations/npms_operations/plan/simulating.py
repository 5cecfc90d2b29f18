"""A simulation as the tariff service streams it."""

import json
from collections.abc import Iterator
from typing import Any

import httpx

from npms_operations.errors import CommandError
from npms_operations.installation import Installation

Line = dict[str, Any]
PATIENCE = httpx.Timeout(10, read=120)
ADVICE = "is it up, and is the URL right? A local stack: `make demo`, `make serve`"


def simulation(installation: Installation, body: dict[str, Any]) -> Iterator[Line]:
    """Line after line, the total as the last. Raises CommandError where it is refused or breaks
    off."""
    last: Line = {}
    url = installation.url("tariff")
    try:
        with (
            httpx.Client(timeout=PATIENCE, headers=installation.headers()) as client,
            client.stream("POST", f"{url}/v1/simulations", json=body) as answer,
        ):
            if answer.is_error:
                raise CommandError(_refusal(answer))
            for text in answer.iter_lines():
                last = json.loads(text)
                yield last
    except (httpx.HTTPError, json.JSONDecodeError) as fault:
        raise CommandError(f"the simulation broke off: {fault!r}", advice=ADVICE) from None
    if last.get("line") != "total":
        raise CommandError("the simulation ended without its total", advice="see tariff's log")


def _refusal(answer: httpx.Response) -> str:
    problem = json.loads(answer.read() or b"{}")
    words = [f"{answer.status_code} {problem.get('code')}: {problem.get('detail')}"]
    words += [f"{e['pointer']}: {e['code']}: {e['message']}" for e in problem.get("errors", [])]
    return "\n".join(words)
