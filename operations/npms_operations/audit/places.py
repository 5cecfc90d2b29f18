"""Where the five databases and the broker's management are, as the environment says."""

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from npms_operations.errors import CommandError
from npms_operations.installation import SERVICES, variable_of

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


def find_places(environment: Mapping[str, str]) -> Places:
    """Raises CommandError, naming every database that is not given."""
    variables = {service: variable_of(service, "database_url") for service in SERVICES}
    given = {service: environment.get(name, "") for service, name in variables.items()}
    missing = [variables[service] for service, url in given.items() if not url]
    if missing:
        raise CommandError(
            f"not given: {', '.join(missing)}", advice="a role that may read is enough"
        )
    return Places(given, _broker(environment))


def _broker(environment: Mapping[str, str]) -> Broker | None:
    management_url = environment.get(MANAGEMENT_VARIABLE, "")
    if not management_url:
        return None
    amqp_url = environment.get(AMQP_VARIABLE, "")
    vhost = (unquote(urlsplit(amqp_url).path[1:]) or "/") if amqp_url else None
    return Broker(management_url.rstrip("/"), vhost)
