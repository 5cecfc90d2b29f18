"""Settings come from the environment; what is wrong at start is named by its variable."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Json,
    SecretStr,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode

from npms_shared.auth.keys import is_safe_url
from npms_shared.auth.tokens import ROLES, RoleRules
from npms_shared.auth.verifier import TrustedIssuer
from npms_shared.money import ANY_CURRENCY, AmountsByCurrency
from npms_shared.web.limits import Limits

S = TypeVar("S", bound="ServiceSettings")


class IssuerSettings(BaseModel):
    """One issuer of tokens that is trusted."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    issuer: str = Field(min_length=1, max_length=500)
    roles: frozenset[str] = Field(default=ROLES, min_length=1)
    roles_claim: str = Field(default="roles", max_length=500, pattern=r"^(/[^/]+)+$|^[^/]+$")
    role_names: dict[str, str] = Field(default_factory=dict)
    jwks_path: Path | None = None
    jwks_url: str | None = None

    @model_validator(mode="after")
    def _can_be_asked(self) -> "IssuerSettings":
        if unknown := (self.roles | set(self.role_names.values())) - ROLES:
            raise ValueError(f"no such role: {', '.join(sorted(unknown))}")
        asked = self.jwks_url or (None if self.jwks_path else self.issuer)
        if asked is not None and not is_safe_url(asked):
            raise ValueError(f"expected https, or http to this machine: {asked}")
        return self

    def trusted(self) -> TrustedIssuer:
        rules = RoleRules(self.roles, self.roles_claim, self.role_names)
        return TrustedIssuer(self.issuer, rules, self.jwks_path, self.jwks_url)


class ServiceSettings(BaseSettings):
    """What every service needs; a service adds its own and sets `env_prefix`."""

    database_url: SecretStr = Field(description="PostgreSQL URL of the application's role")
    migration_database_url: SecretStr | None = Field(
        default=None, description="PostgreSQL URL of the owner's role; only `migrate` needs it"
    )
    amqp_url: SecretStr = Field(description="RabbitMQ URL, with its virtual host")
    amqp_trusted_users: str = Field(
        default="",
        description="broker users, with commas between them, whose messages are believed like the"
        " publishers' own: the one user of before, while each service gets its own",
    )
    host: str = Field(default="127.0.0.1", description="address the REST interface listens on")
    port: int = Field(default=8000, ge=0, le=65535, description="port of the REST interface")
    internal_host: str = Field(
        default="127.0.0.1", description="address that health with reasons and metrics listen on"
    )
    internal_port: int = Field(
        default=9000, ge=0, le=65535, description="port of health with reasons and metrics"
    )
    docs: bool = Field(default=False, description="/docs and /openapi.json, for development")
    trusted_proxies: str = Field(
        default="",
        description="whose X-Forwarded-For is believed: addresses and networks, by commas",
    )
    header_timeout_s: float = Field(
        default=10, gt=0, le=600, description="a request's headers are sent within"
    )
    token_issuers: Annotated[Json[list[IssuerSettings]], NoDecode] = Field(
        default="[]",
        validate_default=True,
        description="trusted issuers as a JSON list of `issuer`, `roles`, `jwks_path`, `jwks_url`; "
        "keys are found by OpenID Connect discovery where neither is given",
    )
    jwks_path: Path | None = Field(
        default=None,
        validate_default=True,
        description="file with the public keys (JWK set) of TOKEN_ISSUER, which may give all roles",
    )
    token_issuer: str = Field(
        default="npms-dev", description="`iss` of tokens that the keys of JWKS_PATH sign"
    )
    token_keys_max_age_s: float = Field(
        default=300,
        ge=1,
        le=86_400,
        description="keys are fetched anew before they are so old",
    )
    token_audience: str = Field(default="npms", description="`aud` that tokens must carry")
    body_bytes: int = Field(default=1_000_000, ge=1_000, description="most that a request has")
    small_body_bytes: int = Field(
        default=64 * 1024,
        ge=1_000,
        description="most that a request of a customer, or without a token, has",
    )
    body_timeout_s: float = Field(default=20, gt=0, description="a request is sent within")
    requests_in_flight: int = Field(default=100, ge=1, description="more are answered with 503")
    costly_per_minute_and_caller: int = Field(
        default=30, ge=1, description="orders, vouchers, exports, messages, readings on demand"
    )
    costly_per_minute_and_address: int = Field(default=120, ge=1, description="the same")
    refused_tokens_per_minute_and_address: int = Field(default=60, ge=1)
    partitions: int = Field(default=16, ge=1, le=256, description="fixed at the first deployment")
    partition_concurrency: int = Field(
        default=1, ge=1, le=64, description="crews a process has: transactions at the same time"
    )
    database_pool_size: int = Field(default=12, ge=2, le=100)
    log_level: str = Field(default="info", pattern="^(debug|info|warning|error)$")

    @field_validator("database_url", "migration_database_url")
    @classmethod
    def _is_of_postgres(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _is_url(value, "postgresql", "postgres", "postgresql+asyncpg"):
            raise ValueError("expected postgresql://role:password@host:port/database")
        return value

    @field_validator("amqp_url")
    @classmethod
    def _is_of_rabbitmq(cls, value: SecretStr) -> SecretStr:
        if not _is_url(value, "amqp", "amqps"):
            raise ValueError("expected amqp://user:password@host:port/vhost")
        return value

    def trusted_users(self) -> frozenset[str]:
        """`amqp_trusted_users`, taken apart."""
        return frozenset(filter(None, map(str.strip, self.amqp_trusted_users.split(","))))

    @field_validator("jwks_path")
    @classmethod
    def _is_readable(cls, value: Path | None, info: ValidationInfo) -> Path | None:
        if value is None and info.data.get("token_issuers") == []:
            raise ValueError("a file with an issuer's keys is needed, or TOKEN_ISSUERS")
        if value is not None and not value.is_file():
            raise ValueError(f"no such file: {value}")
        return value

    def limits(self) -> Limits:
        """What one client may ask of the REST interface."""
        return Limits(
            body_bytes=self.body_bytes,
            small_body_bytes=self.small_body_bytes,
            body_timeout_s=self.body_timeout_s,
            in_flight=self.requests_in_flight,
            costly_per_minute_and_caller=self.costly_per_minute_and_caller,
            costly_per_minute_and_address=self.costly_per_minute_and_address,
            refused_tokens_per_minute_and_address=self.refused_tokens_per_minute_and_address,
        )


class TwoPeopleSettings(ServiceSettings):
    """Of a service in which people move money."""

    alone_per_day: dict[str, str] = Field(
        default={ANY_CURRENCY: "5"},
        description="most that one person may move alone within 24 hours, in currency units: JSON "
        'by currency, e.g. {"KES": "500", "*": "5"}; `*` is every other one',
    )

    @field_validator("alone_per_day")
    @classmethod
    def _are_amounts(cls, value: dict[str, str]) -> dict[str, str]:
        AmountsByCurrency.parse(value)
        return value

    def alone_limits(self) -> AmountsByCurrency:
        """In micro-units."""
        return AmountsByCurrency.parse(self.alone_per_day)


class SettingsError(Exception):
    """Configuration is missing or wrong; `problems` has a line per variable."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def read_settings(settings: type[S], **given: Any) -> S:
    """The validated settings; raises SettingsError naming every wrong variable."""
    try:
        return settings(**given)
    except ValidationError as fault:
        raise SettingsError(
            [_problem(settings, e["loc"], e["msg"]) for e in fault.errors()]
        ) from None


def load_settings(settings: type[S]) -> S:
    """The settings, or a clear word on stderr and exit status 2."""
    with exiting_when_wrong():
        return read_settings(settings)


@contextmanager
def exiting_when_wrong() -> Iterator[None]:
    """A SettingsError inside becomes a line on stderr for each variable, and exit status 2."""
    try:
        yield
    except SettingsError as fault:
        for problem in fault.problems:
            print(f"configuration: {problem}", file=sys.stderr)
        raise SystemExit(2) from None


def variable_of(settings: type[ServiceSettings], *place: int | str) -> str:
    """The environment variable that a setting is read from."""
    name = "__".join(map(str, place)).upper()
    return f"{settings.model_config.get('env_prefix', '')}{name}"


def _problem(settings: type[ServiceSettings], place: tuple[int | str, ...], words: str) -> str:
    """What is wrong with one variable; where several do not fit together the words name them."""
    words = words.removeprefix("Value error, ")
    return f"{variable_of(settings, *place)}: {words}" if place else words


def _is_url(value: SecretStr, *schemes: str) -> bool:
    """Whether it has one of the schemes and a port that is none or a number."""
    try:
        parts = urlsplit(value.get_secret_value())
        return parts.scheme in schemes and (parts.port is None or parts.port > 0)
    except ValueError:
        return False
