"""Alembic, set up once: every service's env.py and `migrate` command come here."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from alembic import context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import create_async_engine
from sqlalchemy.pool import NullPool

from npms_shared.db.engine import Database, asyncpg_url
from npms_shared.db.moved_alone import MOVED_ALONE_SQL
from npms_shared.db.tables import MESSAGING_SQL

LOCK = 7_205_759
"""Advisory lock under which one process migrates a database at a time."""


def run_env() -> None:
    """The body of a service's migrations/env.py."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection)
    with context.begin_transaction():
        context.run_migrations()


def create_messaging_tables() -> None:
    """Outbox, inbox, parked messages, partition epochs and idempotency keys: first migration."""
    for statement in MESSAGING_SQL:
        op.execute(statement)


def create_moved_alone() -> None:
    """What people moved alone: of a service in which they move money."""
    for statement in MOVED_ALONE_SQL:
        op.execute(statement)
    grant_tables(append_only=("moved_alone",))


def grant_application(append_only: Iterable[str] = ()) -> None:
    """Let the application's role work on every table, but only add to the append-only ones."""
    role = context.config.attributes["application_role"]
    op.execute(f'GRANT USAGE ON SCHEMA public TO "{role}"')
    op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "{role}"')
    op.execute(f'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}"')
    for table in (*append_only, "alembic_version"):
        op.execute(f'REVOKE UPDATE, DELETE, TRUNCATE ON "{table}" FROM "{role}"')


def grant_tables(*tables: str, append_only: Iterable[str] = ()) -> None:
    """Let the application's role work on the tables a later migration made.

    Those of `append_only` it may read and add to, not change.
    """
    role = context.config.attributes["application_role"]
    for table in tables:
        op.execute(f'GRANT SELECT, INSERT, UPDATE, DELETE ON "{table}" TO "{role}"')
    for table in append_only:
        op.execute(f'GRANT SELECT, INSERT ON "{table}" TO "{role}"')
    op.execute(f'GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO "{role}"')


def _config(folder: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(folder))
    config.set_main_option("path_separator", "os")
    return config


def migrate(folder: Path, *, url: str, application_role: str) -> str:
    """Bring the database to the newest revision of `folder`; returns that revision."""
    config = _config(folder)
    config.attributes["application_role"] = application_role
    asyncio.run(_migrate(config, url))
    return head(folder)


async def _migrate(config: Config, url: str) -> None:
    engine = create_async_engine(asyncpg_url(url), poolclass=NullPool)
    try:
        async with engine.connect() as conn:
            await conn.execute(text("SELECT pg_advisory_lock(:lock)"), {"lock": LOCK})
            await conn.commit()
            await conn.run_sync(_upgrade, config)
            await conn.commit()
    finally:
        await engine.dispose()


def _upgrade(connection: Connection, config: Config) -> None:
    from alembic import command

    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def head(folder: Path) -> str:
    """The newest revision in `folder`."""
    return ScriptDirectory.from_config(_config(folder)).get_current_head() or ""


async def current(database: Database) -> str:
    """The revision a database is at; empty before the first migration."""
    async with database.connect() as conn:
        return await conn.run_sync(_current)


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
