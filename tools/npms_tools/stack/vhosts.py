"""Virtual hosts, made and removed over RabbitMQ's management interface."""

from urllib.parse import quote, unquote, urlsplit

import httpx

from npms_operations.topology.management import check, management

EVERYTHING = {"configure": ".*", "write": ".*", "read": ".*"}


def ensure_vhost(management_url: str, name: str) -> None:
    """Make it if it is missing, and let the URL's user work in it."""
    user = unquote(urlsplit(management_url).username or "guest")
    with management(management_url) as client:
        check(client.put(f"/api/vhosts/{quote(name, safe='')}"))
        place = f"/api/permissions/{quote(name, safe='')}/{quote(user, safe='')}"
        check(client.put(place, json=EVERYTHING))


def drop_vhost(management_url: str, name: str) -> None:
    """Remove it and its queues, if it is there."""
    with management(management_url) as client:
        answer = client.delete(f"/api/vhosts/{quote(name, safe='')}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            check(answer)
