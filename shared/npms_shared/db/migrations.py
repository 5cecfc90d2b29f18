"""Alembic, set up once: every service's env.py and `migrate` command come here."""

import asyncio
from collections.abc import Iterable
from pathlib import Path

from alembic import context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.pool import NullPool

from npms_shared.db.audit_trail import AUDIT_TRAIL_SQL
from npms_shared.db.engine import Database, asyncpg_url
from npms_shared.db.moved_alone import MOVED_ALONE_SQL
from npms_shared.db.tables import MESSAGING_2_SQL, MESSAGING_2_TABLES, MESSAGING_SQL

LOCK = 7_205_759
"""Advisory lock under which one process migrates a database at a time."""
LOOK_AGAIN_S = 0.2
LOCK_TIMEOUT = "5s"
"""A migration that waits longer for a table fails instead: all that come after would wait too."""


def run_env() -> None:
    """The body of a service's migrations/env.py. Each migration is a transaction of its own."""
    connection = context.config.attributes["connection"]
    context.configure(connection=connection, transaction_per_migration=True)
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


def create_audit_trail() -> None:
    """What people did in a service."""
    for statement in AUDIT_TRAIL_SQL:
        op.execute(statement)
    grant_tables(append_only=("audit_trail",))


def extend_messaging_tables() -> None:
    """What the second version of the messaging tables adds, with their indexes by time."""
    for statement in MESSAGING_2_SQL:
        op.execute(statement)
    grant_tables(*MESSAGING_2_TABLES)
    create_index("inbox_heard_at", "inbox (heard_at)")
    create_index("idempotency_key_created_at", "idempotency_key (created_at)")


def create_index(name: str, on: str, *, unique: bool = False) -> None:
    """An index on what may be a large table: built while others write. Last in a migration, which
    is committed before it. What an attempt that failed left of it is built anew.

    `on` is the table, its columns and, where it is partial, the condition.
    """
    kind = "UNIQUE INDEX" if unique else "INDEX"
    with op.get_context().autocommit_block():
        # It waits for older transactions, and makes nobody wait.
        op.execute("SET lock_timeout = 0")
        if not _is_valid(name):
            op.execute(f'DROP INDEX CONCURRENTLY IF EXISTS "{name}"')
            op.execute(f'CREATE {kind} CONCURRENTLY "{name}" ON {on}')
        op.execute(f"SET lock_timeout = '{LOCK_TIMEOUT}'")


def _is_valid(name: str) -> bool:
    query = text("SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass(:name)")
    return bool(op.get_bind().execute(query, {"name": name}).scalar())


def fits_no_older_than(revision: str) -> None:
    """For a migration that takes away what programs before `revision` need: they stop working."""
    op.execute(text("UPDATE schema_fits SET oldest = :oldest").bindparams(oldest=revision))


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
    engine = create_async_engine(
        asyncpg_url(url),
        poolclass=NullPool,
        connect_args={"server_settings": {"lock_timeout": LOCK_TIMEOUT}},
    )
    try:
        async with engine.connect() as conn:
            await _take_turn(conn)
            await conn.run_sync(_upgrade, config)
            await conn.commit()
    finally:
        await engine.dispose()


async def _take_turn(conn: AsyncConnection) -> None:
    """Without waiting in a transaction, which an index that is built concurrently waits for."""
    take = text("SELECT pg_try_advisory_lock(:lock)")
    while not (await conn.execute(take, {"lock": LOCK})).scalar_one():
        await conn.commit()
        await asyncio.sleep(LOOK_AGAIN_S)
    await conn.commit()


def _upgrade(connection: Connection, config: Config) -> None:
    from alembic import command

    config.attributes["connection"] = connection
    command.upgrade(config, "head")


def head(folder: Path) -> str:
    """The newest revision in `folder`."""
    return ScriptDirectory.from_config(_config(folder)).get_current_head() or ""


async def check_fit(database: Database, folder: Path) -> None:
    """Raises SchemaMissing unless the database is at the newest revision of `folder`, or at a later
    one that still fits the programs of this one.
    """
    wanted = head(folder)
    async with database.connect() as conn:
        at = await conn.run_sync(_current)
        if at == wanted:
            return
        if at < wanted:
            raise SchemaMissing(f"schema is at {at or 'nothing'}, {wanted} is needed: run migrate")
        oldest = (await conn.execute(text("SELECT oldest FROM schema_fits"))).scalar_one()
    if wanted < oldest:
        raise SchemaMissing(f"schema is at {at}, for programs of {oldest} and later; we: {wanted}")


class SchemaMissing(RuntimeError):
    """The database is not, or no more, of a schema that this program can work on."""


def _current(connection: Connection) -> str:
    return MigrationContext.configure(connection).get_current_revision() or ""
