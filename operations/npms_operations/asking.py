"""One request to a service of an installation."""

from typing import Any

import httpx

from npms_operations.errors import CommandError
from npms_operations.installation import Installation

PATIENCE_S = 60


def ask(
    installation: Installation, service: str, path: str, *, body: Any = None, **query: Any
) -> Any:
    """The answer's JSON: of a GET, or of a POST where there is a body.

    The path may have a query of its own. Raises CommandError when nobody answers or the
    answer refuses.
    """
    url = installation.url(service)
    method = "GET" if body is None else "POST"
    with httpx.Client(base_url=url, headers=installation.headers()) as client:
        try:
            answer = client.request(
                method, path, params=query or None, json=body, timeout=PATIENCE_S
            )
        except httpx.TransportError as fault:
            raise CommandError(
                f"no {service} answers at {url}: {fault!r}",
                advice="is it up, and is the URL right? A local stack: `make demo`, `make serve`",
            ) from None
    if answer.is_error:
        raise CommandError(f"{service} refused {path}: {_words(answer)}")
    return answer.json()


def _words(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['detail']}"
    except (ValueError, KeyError, TypeError):
        return f"{answer.status_code} {answer.text[:200]}"
