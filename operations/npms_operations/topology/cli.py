"""`npms topology`: users, rights, exchanges, queues and bindings of an installation's broker."""

import json
import os
from collections.abc import Mapping
from typing import Annotated

import typer

from npms_operations.errors import CommandError
from npms_operations.installation import SERVICES, variable_of
from npms_operations.topology.definitions import PARTITIONS, BrokerUser, definitions, vhost_of
from npms_operations.topology.management import import_definitions


def topology(
    partitions: Annotated[int, typer.Option(min=1, max=256)] = PARTITIONS,
    *,
    apply: Annotated[
        bool, typer.Option("--apply", help="do it, by NPMS_MANAGEMENT_URL; else print it")
    ] = False,
) -> None:
    """What RabbitMQ must have, as `rabbitmqctl import_definitions` takes it.

    Users, passwords and virtual host are those of the services' NPMS_<SERVICE>_AMQP_URL.
    """
    wanted = wanted_definitions(given_urls(os.environ), partitions=partitions)
    if not apply:
        typer.echo(json.dumps(wanted, indent=2))
        return
    management_url = os.environ.get("NPMS_MANAGEMENT_URL")
    if not management_url:
        raise CommandError(
            "RabbitMQ's management interface is not known",
            advice="give NPMS_MANAGEMENT_URL=http://administrator:password@host:15672",
        )
    import_definitions(management_url, wanted)
    counts = ", ".join(f"{len(found)} {kind}" for kind, found in wanted.items())
    typer.echo(f"the broker has {counts}")


def given_urls(environment: Mapping[str, str]) -> dict[str, str]:
    """The services' AMQP URLs. Raises CommandError where some are missing."""
    variables = {service: variable_of(service, "amqp_url") for service in SERVICES}
    found = {service: environment.get(variable, "") for service, variable in variables.items()}
    missing = [variables[service] for service, url in found.items() if not url]
    if missing:
        raise CommandError(f"not given: {', '.join(missing)}", advice="give all services'")
    return found


def wanted_definitions(
    urls: Mapping[str, str], *, partitions: int
) -> dict[str, list[dict[str, object]]]:
    """The definitions by which these URLs work. Raises CommandError where they cannot."""
    users = {service: BrokerUser.of(url) for service, url in urls.items()}
    vhosts = {vhost_of(url) for url in urls.values()}
    if len(vhosts) > 1:
        raise CommandError(f"virtual hosts differ: {', '.join(sorted(vhosts))}")
    prefixes = {user.name.removesuffix(service) for service, user in users.items()}
    if len(prefixes) > 1 or len({user.name for user in users.values()}) < len(users):
        raise CommandError(
            "each service needs a user of its own, all named alike: npms-ledger, npms-tariff …",
            advice="where one user serves all there is nothing to define",
        )
    if not all(user.password for user in users.values()):
        raise CommandError("a user has no password in its URL")
    return definitions(vhosts.pop(), users, partitions=partitions)
