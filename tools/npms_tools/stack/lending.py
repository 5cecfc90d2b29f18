"""What an operator's command needs of a local stack, given to it in its environment."""

import json
from collections.abc import MutableMapping, Sequence

from npms_operations.installation import (
    PROFILE_VARIABLE,
    SERVICES,
    TOKEN_VARIABLE,
    variable_of,
)
from npms_tools.stack.local import Stack
from npms_tools.stack.ports import LOOPBACK

ASKING = ("why", "cuts", "parked", "plan simulate")
SUBJECT = "developer"


def take_stack_name(words: list[str]) -> tuple[list[str], str | None]:
    """The words without `--stack NAME`, and the name."""
    if "--stack" not in words[:-1]:
        return words, None
    at = words.index("--stack")
    return words[:at] + words[at + 2 :], words[at + 1]


def lend(
    words: Sequence[str], stack_name: str | None, environment: MutableMapping[str, str]
) -> None:
    """Fill in what is not given; nothing where the words name an installation or ask for help."""
    if {"--help", "--url", "--profile"} & {word.partition("=")[0] for word in words}:
        return
    stack = Stack(stack_name or "demo")
    if words[:1] == ["audit"]:
        _lend_databases(stack, environment)
    elif words[:1] == ["topology"]:
        _lend_broker(stack, environment)
    elif " ".join(words).startswith(ASKING):
        _lend_services(stack, environment, always=stack_name is not None)


def _lend_databases(stack: Stack, environment: MutableMapping[str, str]) -> None:
    variables = {service: variable_of(service, "database_url") for service in SERVICES}
    missing = [service for service in SERVICES if not environment.get(variables[service])]
    if not missing:
        return
    for service, database in stack.databases(missing).items():
        environment[variables[service]] = database.url
    _lend_management(stack, environment)


def _lend_broker(stack: Stack, environment: MutableMapping[str, str]) -> None:
    variables = {service: variable_of(service, "amqp_url") for service in SERVICES}
    if any(environment.get(name) for name in variables.values()):
        return
    for service, url in stack.service_amqp_urls(stack.urls().amqp_url).items():
        environment[variables[service]] = url
    _lend_management(stack, environment)


def _lend_management(stack: Stack, environment: MutableMapping[str, str]) -> None:
    management_url = stack.urls().management_url
    if management_url is not None:
        environment.setdefault("NPMS_MANAGEMENT_URL", management_url)


def _lend_services(stack: Stack, environment: MutableMapping[str, str], *, always: bool) -> None:
    """A profile of the stack's services and a token, unless the environment names others."""
    if environment.get(PROFILE_VARIABLE) and not always:
        return
    profile = stack.folder / "profile.toml"
    profile.parent.mkdir(parents=True, exist_ok=True)
    ports = {service: stack.memory.port(f"service {service}") for service in SERVICES}
    urls = [f"{name} = {json.dumps(f'http://{LOOPBACK}:{port}')}" for name, port in ports.items()]
    profile.write_text("\n".join(["[services]", *urls, ""]))
    environment[PROFILE_VARIABLE] = str(profile)
    environment[TOKEN_VARIABLE] = stack.issuer.issue_token(SUBJECT, ["operator"])
