"""Where the five databases and the broker's management are: the environment, else a local stack."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from npms_tools.stack.local import Stack
from npms_tools.stack.services import SERVICES, variable_of

MANAGEMENT_VARIABLE = "NPMS_MANAGEMENT_URL"
AMQP_VARIABLE = "NPMS_AMQP_URL"


@dataclass(frozen=True, slots=True)
class Broker:
    """The management interface, with user and password; without `vhost` all queues are ours."""

    management_url: str
    vhost: str | None = None


@dataclass(frozen=True, slots=True)
class Places:
    """`databases` has a PostgreSQL URL for each service; without `broker` no queue is seen."""

    databases: Mapping[str, str]
    broker: Broker | None = None


def find_places(stack_name: str, *, environment: Mapping[str, str] = os.environ) -> Places:
    """URLs given in the environment win; what is missing is the local stack's."""
    given = {
        service: environment.get(variable_of(service, "database_url"), "") for service in SERVICES
    }
    missing = [service for service, url in given.items() if not url]
    if not missing:
        return Places(given, _given_broker(environment))
    stack = Stack(stack_name)
    made = stack.databases(missing)
    own = {service: database.url for service, database in made.items()}
    management_url = stack.urls().management_url
    broker = Broker(management_url.rstrip("/")) if management_url else None
    return Places(given | own, _given_broker(environment) or broker)


def _given_broker(environment: Mapping[str, str]) -> Broker | None:
    management_url = environment.get(MANAGEMENT_VARIABLE, "")
    if not management_url:
        return None
    vhost = unquote(urlsplit(environment.get(AMQP_VARIABLE, "")).path[1:])
    return Broker(management_url.rstrip("/"), vhost or "/")
