"""Virtual hosts, made, filled and removed over RabbitMQ's management interface."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlsplit

import httpx

from npms_tools.stack.errors import StackError

EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


def ensure_vhost(management_url: str, name: str) -> None:
    """Make it if it is missing, and let the URL's user work in it."""
    user = unquote(urlsplit(management_url).username or "guest")
    with _client(management_url) as client:
        _check(client.put(f"/api/vhosts/{quote(name, safe='')}"))
        place = f"/api/permissions/{quote(name, safe='')}/{quote(user, safe='')}"
        _check(client.put(place, json=EVERYTHING))


def import_definitions(management_url: str, definitions: Mapping[str, Any]) -> None:
    """Make what is missing; users and rights are set, queues that are there stay as they are."""
    with _client(management_url) as client:
        _check(client.post("/api/definitions", json=definitions))


def drop_vhost(management_url: str, name: str) -> None:
    """Remove it and its queues, if it is there."""
    with _client(management_url) as client:
        answer = client.delete(f"/api/vhosts/{quote(name, safe='')}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            _check(answer)


def _client(management_url: str) -> httpx.Client:
    return httpx.Client(base_url=management_url, timeout=30)


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        raise StackError(
            f"RabbitMQ's management interface answered {answer.status_code}: {answer.text[:200]}"
        )
