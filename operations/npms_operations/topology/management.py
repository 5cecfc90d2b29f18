"""RabbitMQ's management interface."""

from collections.abc import Mapping
from typing import Any

import httpx

from npms_operations.errors import CommandError


def import_definitions(management_url: str, definitions: Mapping[str, Any]) -> None:
    """Make what is missing; users and rights are set, queues that are there stay as they are."""
    with management(management_url) as client:
        check(client.post("/api/definitions", json=definitions))


def management(management_url: str) -> httpx.Client:
    """A client for it, to be closed."""
    return httpx.Client(base_url=management_url, timeout=30)


def check(answer: httpx.Response) -> None:
    """Raises CommandError where it refuses."""
    if answer.is_error:
        raise CommandError(
            f"RabbitMQ's management interface answered {answer.status_code}: {answer.text[:200]}"
        )
