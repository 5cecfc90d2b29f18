"""A fresh migrated database per test, copied from a template that is migrated once per worker."""

import asyncio
import importlib
import itertools
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from sqlalchemy import make_url
from tests.support.nodes import Nodes

from npms_shared.db import migrations
from npms_shared.db.engine import Database

ROLE = "npms_test_app"
PASSWORD = "for-tests-only"


@dataclass(frozen=True, slots=True)
class TestDatabase:
    __test__ = False

    name: str
    url: str
    """As the application's role."""
    migration_url: str
    """As the owner."""
    database: Database


NOT_FOR_TESTS = ("fsync", "synchronous_commit", "full_page_writes", "autovacuum", "jit")


async def hurry(admin_url: str) -> None:
    """Let a server of our own force nothing to disk: what tests leave need not outlive it."""
    await _execute(
        admin_url,
        *(f"ALTER SYSTEM SET {one} = off" for one in NOT_FOR_TESTS),
        "SELECT pg_reload_conf()",
    )


async def keep_every_commit(admin_url: str) -> None:
    """Take `hurry` back, for tests that stop the server and count what is left."""
    await _execute(admin_url, "ALTER SYSTEM RESET ALL", "SELECT pg_reload_conf()")


class DatabaseFactory:
    """Makes databases by copying a migrated one, in memory where `nodes` has a folder there."""

    def __init__(self, nodes: Nodes, *, worker: str) -> None:
        self._nodes, self._admin_url, self._worker = nodes, nodes.postgres_url, worker
        self._place: str | None = None
        self._numbers = itertools.count()
        self._templates: dict[str, str] = {}

    async def make(self, service: str) -> TestDatabase:
        """A database at the newest revision of `service` ("ledger", "meter-gateway", …)."""
        if self._place is None:
            self._place = await self._choose_place()
        if service not in self._templates:
            self._templates[service] = await self._template(service)
        name = f"npms_test_{self._worker}_{next(self._numbers)}"
        await self._admin(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
            f'CREATE DATABASE "{name}" TEMPLATE "{self._templates[service]}"' + self._place,
        )
        url = self._url(name, application=True)
        return TestDatabase(name, url, self._url(name), Database(url, application="npms-test"))

    async def back_up(self, database: TestDatabase) -> None:
        """Keep a copy of it as it is now, in the place of one kept before."""
        await database.database.close()
        await self._copy(database.name, f"{database.name}_backup")

    async def restore(self, database: TestDatabase) -> None:
        """Set it back to the copy that was kept."""
        await database.database.close()
        await self._copy(f"{database.name}_backup", database.name)

    async def _copy(self, source: str, name: str) -> None:
        await self._admin(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
            f'CREATE DATABASE "{name}" TEMPLATE "{source}"{self._place}',
        )

    async def drop(self, database: TestDatabase) -> None:
        await database.database.close()
        for name in (database.name, f"{database.name}_backup"):
            await self._admin(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def close(self) -> None:
        for template in self._templates.values():
            await self._admin(f'DROP DATABASE IF EXISTS "{template}" WITH (FORCE)')
        if self._place:
            await self._admin(f'DROP TABLESPACE "{self._tablespace}"')
        self._nodes.drop_memory(self._worker)

    @property
    def _tablespace(self) -> str:
        return f"npms_test_{self._worker}"

    async def _choose_place(self) -> str:
        """The end of CREATE DATABASE: a tablespace in memory, or nothing."""
        if not self._nodes.is_own_server:
            return ""
        await hurry(self._admin_url)
        folder = self._nodes.make_memory(self._worker)
        if folder is None:
            return ""
        await self._admin(f"CREATE TABLESPACE \"{self._tablespace}\" LOCATION '{folder}'")
        return f' TABLESPACE "{self._tablespace}"'

    async def _template(self, service: str) -> str:
        name = f"npms_test_{self._worker}_{service.replace('-', '_')}"
        await self._admin(
            f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)',
            f'CREATE DATABASE "{name}"{self._place}',
            f"DO $$ BEGIN CREATE ROLE {ROLE} LOGIN PASSWORD '{PASSWORD}'; "
            "EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$",
        )
        await asyncio.to_thread(
            migrations.migrate,
            migrations_of(service),
            url=self._url(name),
            application_role=ROLE,
        )
        return name

    def _url(self, name: str, *, application: bool = False) -> str:
        url = make_url(self._admin_url).set(database=name)
        if application:
            url = url.set(username=ROLE, password=PASSWORD)
        return url.render_as_string(hide_password=False)

    async def _admin(self, *statements: str) -> None:
        await _execute(self._admin_url, *statements)


async def _execute(url: str, *statements: str) -> None:
    conn = await asyncpg.connect(url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


def migrations_of(service: str) -> Path:
    """The folder of a service's migrations; "frame" has the messaging tables only."""
    if service == "frame":
        return Path(__file__).parent / "frame_migrations"
    package = importlib.import_module(f"npms_{service.replace('-', '_')}")
    return Path(str(package.__file__)).parent / "migrations"
