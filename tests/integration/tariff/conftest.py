"""A fresh tariff database with the example plans, and its REST interface."""

from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import httpx
import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.integration.tariff.support import Bench, example, put_in_force, service
from tests.support.databases import ROLE, TestDatabase, migrations_of
from tests.support.nodes import Nodes
from tests.support.tokens import TestIssuer

from npms_shared.db.engine import asyncpg_url


@pytest.fixture
async def tariff_database(database_for: Callable[[str], Awaitable[TestDatabase]]) -> TestDatabase:
    return await database_for("tariff")


@pytest.fixture
async def bench(tariff_database: TestDatabase) -> Bench:
    return Bench(tariff_database.database)


@pytest.fixture
async def client(
    tariff_database: TestDatabase, issuer: TestIssuer, bench: Bench
) -> AsyncIterator[httpx.AsyncClient]:
    """As an operator, Amina."""
    built = service(tariff_database.url, issuer.jwks_path, bench.clock)
    transport = httpx.ASGITransport(app=built.app)
    async with httpx.AsyncClient(
        transport=transport,
        base_url="http://tariff",
        headers=issuer.headers("operator", subject="amina"),
    ) as client:
        yield client
    await built.database.close()


@pytest.fixture
async def second(issuer: TestIssuer) -> dict[str, str]:
    """Headers of another operator than the client's."""
    return issuer.headers("operator", subject="baraka")


@pytest.fixture
async def plans(client: httpx.AsyncClient, second: dict[str, str]) -> None:
    for name in ("flat", "time-of-use", "inclining-blocks"):
        await put_in_force(client, second, example(name))


Migrate = Callable[[str], Awaitable[None]]
"""To a revision."""


@pytest.fixture
async def old_database(
    nodes: Nodes, tariff_database: TestDatabase
) -> AsyncIterator[tuple[Migrate, "asyncpg.Connection[asyncpg.Record]"]]:
    """An empty database: what migrates it step by step, and its owner's connection."""
    name = f"{tariff_database.name}_old"
    admin = await asyncpg.connect(nodes.postgres_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = make_url(nodes.postgres_url).set(database=name).render_as_string(hide_password=False)
    engine = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(migrations_of("tariff")))
    config.set_main_option("path_separator", "os")
    config.attributes["application_role"] = ROLE

    def upgrade(connection: Connection, revision: str) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async def migrate(revision: str) -> None:
        async with engine.begin() as made:
            await made.run_sync(upgrade, revision)

    conn = await asyncpg.connect(url)
    yield migrate, conn
    await conn.close()
    await engine.dispose()
    await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    await admin.close()
