"""Virtual hosts, made and removed over RabbitMQ's management interface."""

from urllib.parse import unquote, urlsplit

import httpx

from npms_tools.stack.errors import StackError

EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


def ensure_vhost(management_url: str, name: str) -> None:
    """Make it if it is missing, and let the URL's user work in it."""
    user = unquote(urlsplit(management_url).username or "guest")
    with _client(management_url) as client:
        _check(client.put(f"/api/vhosts/{name}"))
        _check(client.put(f"/api/permissions/{name}/{user}", json=EVERYTHING))


def drop_vhost(management_url: str, name: str) -> None:
    """Remove it and its queues, if it is there."""
    with _client(management_url) as client:
        answer = client.delete(f"/api/vhosts/{name}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            _check(answer)


def _client(management_url: str) -> httpx.Client:
    return httpx.Client(base_url=management_url, timeout=30)


def _check(answer: httpx.Response) -> None:
    if answer.is_error:
        raise StackError(
            f"RabbitMQ's management interface answered {answer.status_code}: {answer.text[:200]}"
        )
