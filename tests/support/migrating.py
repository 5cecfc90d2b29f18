"""A database that is migrated step by step, to see what a migration makes of what was there."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeAlias

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, make_url
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool
from tests.support.databases import ROLE, migrations_of
from tests.support.nodes import Nodes

from npms_shared.db.engine import asyncpg_url
from npms_shared.ids import new_id

Migrate = Callable[[str], Awaitable[None]]
"""To a revision."""
Owner: TypeAlias = "asyncpg.Connection[asyncpg.Record]"


@asynccontextmanager
async def migrated_by_steps(nodes: Nodes, service: str) -> AsyncIterator[tuple[Migrate, Owner]]:
    """An empty database of a service: what migrates it, and its owner's connection.

    The application's role is there once any database of the tests was made.
    """
    name = f"npms_old_{new_id().hex}"
    admin = await asyncpg.connect(nodes.postgres_url)
    await admin.execute(f'CREATE DATABASE "{name}"')
    url = make_url(nodes.postgres_url).set(database=name).render_as_string(hide_password=False)
    engine = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    config = Config()
    config.set_main_option("script_location", str(migrations_of(service)))
    config.set_main_option("path_separator", "os")
    config.attributes["application_role"] = ROLE

    def upgrade(connection: Connection, revision: str) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async def migrate(revision: str) -> None:
        async with engine.connect() as made:
            await made.run_sync(upgrade, revision)
            await made.commit()

    owner = await asyncpg.connect(url)
    try:
        yield migrate, owner
    finally:
        await owner.close()
        await engine.dispose()
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
        await admin.close()
