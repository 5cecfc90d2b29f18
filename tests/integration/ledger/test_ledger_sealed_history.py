"""What was posted before there were seals is sealed by the migration that brings them."""

from collections.abc import AsyncIterator

import asyncpg
import pytest
from alembic import command
from sqlalchemy import make_url, text
from tests.support.databases import ROLE, migrations_of

from npms_ledger.handlers.verify_seals import broken_seals
from npms_shared.db import migrations
from npms_shared.db.engine import Database
from npms_shared.ids import new_id

NAME = f"npms_test_history_{new_id().hex}"
TOP_UP, CHARGES = new_id(), new_id()
ROWS = f"""
INSERT INTO journal VALUES ('{TOP_UP}', 'top_up', '2026-03-04T12:00:00.123456Z', '{new_id()}');
INSERT INTO journal VALUES ('{CHARGES}', 'charges', '2026-03-04T13:00:00Z', NULL);
INSERT INTO system_posting VALUES ('{TOP_UP}', 'clearing:voucher', 'KES', -100);
INSERT INTO system_posting VALUES ('{CHARGES}', 'energy_revenue', 'KES', 9);
INSERT INTO system_posting VALUES ('{CHARGES}', 'tax_payable', 'KES', 1);
INSERT INTO posting VALUES (1, 1, '{TOP_UP}', 30, -10, 'debt', 'top_up');
INSERT INTO posting VALUES (1, 2, '{TOP_UP}', 70, 70, 'balance', 'top_up');
INSERT INTO posting VALUES (1, 3, '{CHARGES}', -10, 60, 'balance', 'charge', 1, 100, 200,
    '2026-03-04T12:00:00Z', '2026-03-04T13:00:00Z', 100, 7, 1, '[["energy","é",1,100,9]]')
"""  # noqa: S608


@pytest.fixture
async def older(nodes, house) -> AsyncIterator[str]:
    """A database as it was before seals; `house` has made the application's role."""
    admin = await asyncpg.connect(nodes.postgres_url)
    await admin.execute(f'CREATE DATABASE "{NAME}"')
    yield make_url(nodes.postgres_url).set(database=NAME).render_as_string(hide_password=False)
    await admin.execute(f'DROP DATABASE "{NAME}" WITH (FORCE)')
    await admin.close()


async def upgrade(database: Database, revision: str) -> None:
    config = migrations._config(migrations_of("ledger"))
    config.attributes["application_role"] = ROLE

    def run(connection) -> None:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)

    async with database.engine.connect() as conn:
        await conn.run_sync(run)
        await conn.commit()


async def test_o3_what_was_posted_before_is_sealed_too(older: str) -> None:
    database = Database(older)
    await upgrade(database, "0004")
    async with database.transaction() as conn:
        for statement in ROWS.split(";\n"):
            await conn.execute(text(statement.replace(":", r"\:")))
    await upgrade(database, "head")
    async with database.connect() as conn:
        chains = await conn.execute(text("SELECT chain, seq, journal_id FROM seal ORDER BY seq"))
        assert [tuple(row) for row in chains] == [("history", 1, TOP_UP), ("history", 2, CHARGES)]
        assert await broken_seals(conn) == []
    async with database.transaction() as conn:
        await conn.execute(text("UPDATE posting SET energy_wh = 101 WHERE seq = 3"))
    async with database.connect() as conn:
        [found] = await broken_seals(conn)
        assert found.journal_id == CHARGES
    await database.close()
