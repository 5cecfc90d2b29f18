"""Which installation a command asks: URLs of services, databases, the broker, and a token.

URLs of services come from the command line or from a profile, a TOML file without a secret in it:

    token = "NPMS_TOKEN"                     # the variable that holds the token; this one if none

    [services]
    ledger = "https://ledger.npms.example"
"""

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from npms_operations.errors import CommandError

SERVICES = ("ledger", "tariff", "meter-gateway", "payments", "notifier")
TOKEN_VARIABLE = "NPMS_TOKEN"  # noqa: S105 - the name of a variable
PROFILE_VARIABLE = "NPMS_PROFILE"

ProfilePath = Annotated[
    Path | None,
    typer.Option("--profile", help="TOML file with the services' URLs", envvar=PROFILE_VARIABLE),
]
Url = Annotated[
    list[str] | None,
    typer.Option(
        "--url",
        help=f"of the service asked, or SERVICE=URL, once for each; {TOKEN_VARIABLE} has the token",
    ),
]


@dataclass(frozen=True, slots=True)
class Installation:
    """URLs by service, and where the token is."""

    services: Mapping[str, str]
    token_variable: str = TOKEN_VARIABLE

    def url(self, service: str) -> str:
        """Without a slash at its end. Raises CommandError where it is not known."""
        if service not in self.services:
            raise CommandError(
                f"the URL of {service} is not known",
                advice=f"give --url {service}=https://…, or --profile FILE ({PROFILE_VARIABLE})",
            )
        return self.services[service]

    def token(self) -> str:
        """Raises CommandError where the variable is empty."""
        token = os.environ.get(self.token_variable, "")
        if not token:
            raise CommandError(
                f"{self.token_variable} has no token", advice="an operator's is needed"
            )
        return token

    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.token()}"}


def find_installation(profile: Path | None, urls: list[str] | None, *, of: str) -> Installation:
    """What the options say; a URL without a name is that of the service `of`.

    Raises CommandError, naming the profile's place or the option that is wrong.
    """
    read = _read(profile) if profile is not None else Installation({})
    given = dict(_named(url, of) for url in urls or ())
    checked = {name: _url(name, url) for name, url in {**read.services, **given}.items()}
    return Installation(checked, read.token_variable)


def variable_of(service: str, name: str) -> str:
    """`NPMS_METER_GATEWAY_DATABASE_URL` for ("meter-gateway", "database_url")."""
    return f"NPMS_{service}_{name}".replace("-", "_").upper()


def _named(url: str, of: str) -> tuple[str, str]:
    name, equals, rest = url.partition("=")
    return (name, rest) if equals and "/" not in name else (of, url)


def _read(path: Path) -> Installation:
    try:
        content = tomllib.loads(path.read_text())
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as fault:
        raise CommandError(f"profile {path}: {fault}") from None
    services, variable = content.get("services", {}), content.get("token", TOKEN_VARIABLE)
    if not isinstance(services, dict) or not isinstance(variable, str):
        raise CommandError(f"profile {path}: services is a table, token the name of a variable")
    return Installation(services, variable)


def _url(service: str, url: Any) -> str:
    if service not in SERVICES:
        raise CommandError(f"no such service: {service}", advice=f"one of {', '.join(SERVICES)}")
    if not isinstance(url, str) or urlsplit(url).scheme not in {"http", "https"}:
        raise CommandError(f"the URL of {service} is no http(s) URL: {url!r}")
    return url.rstrip("/")
