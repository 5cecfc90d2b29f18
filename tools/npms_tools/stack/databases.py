"""A database for each service, with a role that owns it and a role that works in it."""

import asyncio
import hashlib
import hmac
import secrets as random
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from npms_tools.stack.errors import StackError

LOCK = 7_205_760
"""Advisory lock under which one process prepares databases at a time."""


@dataclass(frozen=True, slots=True)
class ServiceDatabase:
    """`url` logs in as the application's role, `migration_url` as the owner."""

    name: str
    url: str
    migration_url: str


def prepare_databases(
    admin_url: str, services: Iterable[str], prefix: str = "npms", *, secret: str | None = None
) -> dict[str, ServiceDatabase]:
    """Make what is missing of `<prefix>_<service>` databases and their roles; harmless again.

    Passwords follow from `secret` (a stack remembers one), so that a second run
    gives the same URLs; without one they are new every time. Works inside a running
    event loop too. Raises StackError when the server cannot be reached.
    """
    key = secret or random.token_hex(16)
    work = _prepare(admin_url, tuple(services), prefix, key)
    with ThreadPoolExecutor(1) as aside:
        return aside.submit(asyncio.run, work).result()


def drop_databases(admin_url: str, services: Iterable[str], prefix: str) -> None:
    """Remove the databases and roles, whoever is connected."""
    with ThreadPoolExecutor(1) as aside:
        aside.submit(asyncio.run, _drop(admin_url, tuple(services), prefix)).result()


async def _prepare(
    admin_url: str, services: tuple[str, ...], prefix: str, key: str
) -> dict[str, ServiceDatabase]:
    admin = await _connect(admin_url)
    try:
        await admin.execute("SELECT pg_advisory_lock($1)", LOCK)
        return {
            service: await _prepare_one(admin, admin_url, name_of(prefix, service), key)
            for service in services
        }
    finally:
        await admin.close()


async def _prepare_one(
    admin: "asyncpg.Connection[asyncpg.Record]", admin_url: str, name: str, key: str
) -> ServiceDatabase:
    owner, application = f"{name}_owner", f"{name}_app"
    urls = [
        with_login(admin_url, user=role, password=_password(key, role), database=name)
        for role in (owner, application)
    ]
    for role in (owner, application):
        await _ensure_role(admin, role, _password(key, role))
    if not await admin.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
        await admin.execute(f'GRANT "{owner}" TO CURRENT_USER')
        await admin.execute(f'CREATE DATABASE "{name}" OWNER "{owner}"')
    await admin.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
    await admin.execute(f'GRANT CONNECT ON DATABASE "{name}" TO "{application}"')
    return ServiceDatabase(name=name, migration_url=urls[0], url=urls[1])


async def _ensure_role(
    admin: "asyncpg.Connection[asyncpg.Record]", role: str, password: str
) -> None:
    """The password is a hexadecimal digest, so it needs no quoting."""
    known = await admin.fetchval("SELECT 1 FROM pg_roles WHERE rolname = $1", role)
    verb = "ALTER" if known else "CREATE"
    await admin.execute(f"{verb} ROLE \"{role}\" LOGIN PASSWORD '{password}'")


async def _drop(admin_url: str, services: tuple[str, ...], prefix: str) -> None:
    admin = await _connect(admin_url)
    try:
        for name in (name_of(prefix, service) for service in services):
            await admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            await admin.execute(f'DROP ROLE IF EXISTS "{name}_app", "{name}_owner"')
    finally:
        await admin.close()


async def _connect(admin_url: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(admin_url.replace("+asyncpg", "", 1), timeout=15)
    except (OSError, TimeoutError, asyncpg.PostgresError) as fault:
        place = urlsplit(admin_url)
        raise StackError(
            f"PostgreSQL at {place.hostname}:{place.port or 5432} cannot be used: {fault}",
            advice="check NPMS_POSTGRES_URL, or unset it to use a private node",
        ) from None


def name_of(prefix: str, service: str) -> str:
    """The database's name: `npms_meter_gateway`."""
    return f"{prefix}_{service.replace('-', '_')}"


def with_login(url: str, *, user: str, password: str, database: str) -> str:
    """The same server and options, another login and database."""
    parts = urlsplit(url)
    place = parts.netloc.rpartition("@")[2]
    return urlunsplit(("postgresql", f"{user}:{password}@{place}", f"/{database}", parts.query, ""))


def _password(key: str, role: str) -> str:
    return hmac.new(key.encode(), role.encode(), hashlib.sha256).hexdigest()[:32]
