"""Explanations asked of the services of a local stack, with an operator's token."""

from typing import Any

import httpx

from npms_tools.stack.errors import StackError
from npms_tools.stack.local import Stack
from npms_tools.stack.services import Services

SUBJECT = "npms-why"


def ask(stack_name: str, service: str, path: str, **query: str) -> Any:
    """The answer's JSON; the path may have a query of its own.

    Raises StackError when nobody answers or the answer refuses.
    """
    stack = Stack(stack_name)
    url = Services(stack)[service].url
    token = stack.issuer.issue_token(SUBJECT, ["operator"])
    with httpx.Client(base_url=url, headers={"Authorization": f"Bearer {token}"}) as client:
        try:
            answer = client.get(path, params=query or None, timeout=20)
        except httpx.TransportError as fault:
            raise StackError(
                f"no {service} answers at {url}: {fault}",
                advice="start it with `make demo` or `make serve`",
            ) from None
    if answer.is_error:
        raise StackError(f"{service} refused {path}: {_words(answer)}")
    return answer.json()


def _words(answer: httpx.Response) -> str:
    try:
        return f"{answer.status_code} {answer.json()['detail']}"
    except (ValueError, KeyError):
        return f"{answer.status_code} {answer.text[:200]}"
