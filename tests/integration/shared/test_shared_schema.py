"""What a process needs before it works, what it waits for; migrations, upkeep, and silence."""

import asyncio
import io
import re
from collections.abc import Awaitable, Callable, Iterator
from contextlib import redirect_stderr
from functools import partial
from pathlib import Path

import asyncpg
import pytest
import structlog
from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from prometheus_client import REGISTRY
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.integration.shared.test_shared_frame import (
    PARTITIONS,
    MakeDatabase,
    effects,
    events_subscription,
    handle_report,
    report,
    until_effects,
    working,
)
from tests.integration.shared.test_shared_frame import broker as broker  # noqa: PLC0414 - a fixture
from tests.support.databases import ROLE, TestDatabase, migrations_of
from tests.support.wait import until

from npms_shared.contracts.meter_gateway import SupplyReported
from npms_shared.db import migrations, tables
from npms_shared.db.engine import Database
from npms_shared.db.migrations import SchemaMissing, check_fit
from npms_shared.messaging import outbox, parked
from npms_shared.messaging.broker import Broker
from npms_shared.messaging.subscriptions import Meta
from npms_shared.messaging.worker import Worker
from npms_shared.observability import logs
from npms_shared.runtime import Service, add_checks
from npms_shared.web.health import internal_app

FRAME = migrations_of("frame")


@pytest.fixture
async def made(database_for: MakeDatabase) -> TestDatabase:
    return await database_for("frame")


def worker_of(made: TestDatabase, amqp_url: str) -> Worker:
    return Worker(
        service="ledger",
        database=made.database,
        amqp_url=amqp_url,
        subscriptions=[events_subscription()],
        loops=[],
        partitions=PARTITIONS,
        partition_concurrency=1,
        fits=partial(check_fit, made.database, FRAME),
    )


async def readiness(made: TestDatabase, worker: Worker, *, work: bool) -> dict[str, str]:
    """The checks that fail, with what they say."""
    app = FastAPI()
    app.state.checks = {}
    service = Service(
        name="ledger",
        settings=None,  # type: ignore[arg-type] - readiness asks no setting
        database=made.database,
        app=app,
        migrations=FRAME,
    )
    add_checks(app, service, worker, work=work)
    internal = internal_app(service.name, app.state.checks)
    async with AsyncClient(transport=ASGITransport(internal), base_url="http://test") as client:
        answer = await client.get("/health/ready")
    failed = {name: said for name, said in answer.json()["checks"].items() if said != "ok"}
    assert answer.status_code == (503 if failed else 200)
    return failed


async def as_owner(made: TestDatabase, *statements: str) -> None:
    conn = await asyncpg.connect(made.migration_url)
    try:
        for statement in statements:
            await conn.execute(statement)
    finally:
        await conn.close()


async def test_an_api_is_ready_without_the_broker_and_a_worker_is_not(made: TestDatabase) -> None:
    away = worker_of(made, "amqp://nobody:nothing@127.0.0.1:1/")
    assert await readiness(made, away, work=False) == {}
    assert list(await readiness(made, away, work=True)) == ["broker"]


async def test_a_later_schema_that_fits_is_good_and_one_that_does_not_is_not(
    made: TestDatabase,
) -> None:
    idle = worker_of(made, "amqp://nobody:nothing@127.0.0.1:1/")
    head = migrations.head(FRAME)
    await as_owner(made, "UPDATE alembic_version SET version_num = '9999'")
    assert await readiness(made, idle, work=False) == {}
    await as_owner(made, f"UPDATE schema_fits SET oldest = '{head}'")  # noqa: S608
    assert await readiness(made, idle, work=False) == {}
    await as_owner(made, "UPDATE schema_fits SET oldest = '9998'")
    with pytest.raises(SchemaMissing, match="9998 and later"):
        await check_fit(made.database, FRAME)
    await as_owner(made, "UPDATE alembic_version SET version_num = '0001'")
    assert "run migrate" in (await readiness(made, idle, work=False))["schema"]


async def test_a_worker_consumes_nothing_before_its_schema_is_there(
    made: TestDatabase, amqp_url: str, broker: Broker
) -> None:
    head = migrations.head(FRAME)
    await as_owner(made, "UPDATE alembic_version SET version_num = '0001'")
    async with made.database.transaction() as conn:
        await outbox.publish(conn, report(1), subject="1")
    worker = worker_of(made, amqp_url)
    running = asyncio.create_task(worker.run())
    waits = worker_waits(worker)
    await until(waits, what="it looked for its schema")
    async with made.database.connect() as conn:
        assert (await conn.execute(text("SELECT count(*) FROM outbox"))).scalar_one() == 1
    assert "schema" in await readiness(made, worker, work=True)
    await as_owner(made, f"UPDATE alembic_version SET version_num = '{head}'")  # noqa: S608
    await until_effects(made.database, [1])

    async def ready() -> bool:
        return await readiness(made, worker, work=True) == {}

    await until(ready)
    worker.stop()
    await asyncio.wait_for(running, 20)


def worker_waits(worker: Worker) -> Callable[[], Awaitable[bool]]:
    """True once the worker has asked for its schema twice: it began nothing after the first."""
    asked = 0
    fits = worker._fits
    assert fits is not None

    async def count() -> None:
        nonlocal asked
        asked += 1
        await fits()

    worker._fits = count

    async def twice() -> bool:
        return asked >= 2

    return twice


async def test_a_missing_column_and_an_exhausted_pool_are_waited_out_and_park_nothing(
    made: TestDatabase, amqp_url: str, broker: Broker
) -> None:
    """Both while a message is in hand; the first is seen in readiness and in a metric."""
    small = Database(made.url, pool_size=2)
    small.engine.pool._timeout = 0.1  # type: ignore[attr-defined]

    async def handle(conn: AsyncConnection, event: SupplyReported, meta: Meta) -> None:
        if event.installation_id == 2 and not exhausted.is_set():
            exhausted.set()
            async with small.connect(), small.connect(), small.connect(), small.connect():
                raise AssertionError("the pool has only four")
        await handle_report(conn, event, meta)

    exhausted = asyncio.Event()
    async with working(small, amqp_url, events_subscription(handle)) as worker:
        await as_owner(made, "ALTER TABLE effect RENAME COLUMN item TO thing")
        async with small.transaction() as conn:
            await outbox.publish(conn, report(1), subject="1")
        watched = TestDatabase(made.name, made.url, made.migration_url, small)

        async def misfit() -> bool:
            return 'column "item"' in (await readiness(watched, worker, work=True)).get("work", "")

        await until(misfit)
        assert REGISTRY.get_sample_value("npms_database_waits_total", {"reason": "schema"})
        await as_owner(made, "ALTER TABLE effect RENAME COLUMN thing TO item")
        await until_effects(made.database, [1])
        assert small.misfit is None
        async with small.transaction() as conn:
            await outbox.publish(conn, report(2), subject="2")
        await until_effects(made.database, [1, 2])
        assert exhausted.is_set()
        async with small.connect() as conn:
            assert await parked.list_parked(conn) == []
    await small.close()


MIGRATION = """
from alembic import op

from npms_shared.db.migrations import create_index

revision = "{number}"
down_revision = "{before}"


def upgrade() -> None:
    {does}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The frame's migrations, to be added to."""
    versions = tmp_path / "versions"
    versions.mkdir()
    (tmp_path / "env.py").write_text((FRAME / "env.py").read_text())
    for one in (FRAME / "versions").glob("*.py"):
        (versions / one.name).write_text(one.read_text())
    return tmp_path


def add_migration(folder: Path, number: str, before: str, does: str) -> None:
    body = MIGRATION.format(number=number, before=before, does=does)
    (folder / "versions" / f"{number}.py").write_text(body)


async def migrate(folder: Path, made: TestDatabase) -> str:
    again = partial(migrations.migrate, folder, url=made.migration_url, application_role=ROLE)
    return await asyncio.to_thread(again)


async def test_a_migration_that_cannot_have_its_lock_fails_and_keeps_what_was_before_it(
    made: TestDatabase, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "LOCK_TIMEOUT", "200ms")
    head = migrations.head(FRAME)
    add_migration(folder, "0100", head, 'op.execute("CREATE TABLE first (one int)")')
    add_migration(folder, "0101", "0100", 'op.execute("ALTER TABLE effect ADD COLUMN more int")')
    async with made.database.transaction() as conn:
        await conn.execute(text("SELECT count(*) FROM effect"))
        with pytest.raises(Exception, match="lock timeout"):
            await migrate(folder, made)
    async with made.database.connect() as conn:
        at = (await conn.execute(text("SELECT version_num FROM alembic_version"))).scalar_one()
    assert at == "0100"
    assert await migrate(folder, made) == "0101"


async def test_an_index_is_built_while_others_write_and_two_may_migrate_at_a_time(
    made: TestDatabase, folder: Path
) -> None:
    """What a failed attempt left invalid is built anew; the second waits in no transaction."""
    does = 'create_index("effect_item", "effect (item)", unique=True)'
    add_migration(folder, "0100", migrations.head(FRAME), does)
    await as_owner(made, "INSERT INTO effect (item) VALUES (1), (1)")
    with pytest.raises(Exception, match="effect_item"):
        await migrate(folder, made)
    await as_owner(made, "DELETE FROM effect WHERE id = 1")
    async with made.database.transaction() as conn:
        await conn.execute(text("INSERT INTO effect (item) VALUES (2)"))
        both = [asyncio.create_task(migrate(folder, made)) for _ in range(2)]
        await until(lambda: _is_building(made), what="the index waits for us")
        async with made.database.transaction() as other:
            await other.execute(text("INSERT INTO effect (item) VALUES (3)"))
    assert await asyncio.wait_for(asyncio.gather(*both), 30) == ["0100", "0100"]
    with pytest.raises(IntegrityError):
        async with made.database.transaction() as conn:
            await conn.execute(text("INSERT INTO effect (item) VALUES (3)"))


async def _is_building(made: TestDatabase) -> bool:
    conn = await asyncpg.connect(made.migration_url)
    try:
        query = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
            " AND wait_event_type = 'Lock' AND query LIKE '%INDEX CONCURRENTLY%'"
        )
        return bool(await conn.fetchval(query))
    finally:
        await conn.close()


async def test_upkeep_reads_by_index(made: TestDatabase) -> None:
    await as_owner(
        made,
        "INSERT INTO inbox SELECT gen_random_uuid(), 'q', now() - n * interval '1 minute'"
        " FROM generate_series(1, 30000) n",
        "INSERT INTO idempotency_key (subject, key, fingerprint, created_at)"
        " SELECT n::text, 'k', '', now() - n * interval '1 minute'"
        " FROM generate_series(1, 30000) n",
        "INSERT INTO parked_message (id, message_id, queue, type, headers, body, code, reason,"
        " attempts, parked_at, state) SELECT gen_random_uuid(), gen_random_uuid(), 'q', '', '{}',"
        " '', '', '', 1, now(), 'dropped' FROM generate_series(1, 5000)",
        "ANALYZE inbox, idempotency_key, parked_message",
    )
    async with made.database.connect() as conn:
        queries = (tables.FORGET_MESSAGES, tables.FORGET_KEYS, tables.PARKED_COUNT)
        for query in queries:
            plan = (await conn.execute(text(f"EXPLAIN {query}"))).scalars().all()
            assert not [line for line in plan if re.search(r"Seq Scan on (?!pg_)", line)], plan
    async with made.database.transaction() as conn:
        assert await tables.forget_old_keys(conn), "8,000 keys more"
        assert not await tables.forget_old_keys(conn)
        left = await conn.execute(text("SELECT count(*) FROM inbox"))
        assert left.scalar_one() == 14 * 24 * 60 - 1
    assert tables.OUTBOX_COUNT.endswith(f"LIMIT {tables.COUNTED_ROWS}) AS counted")


NUMBER = "+254700123456"


@pytest.fixture
def logged() -> Iterator[io.StringIO]:
    """What the service's logs would have, as they are set up in production."""
    before = structlog.get_config()
    into = io.StringIO()
    with redirect_stderr(into):
        logs.configure("test", "info")
        yield into
    structlog.configure(**before)


async def test_a_refused_row_says_nobody_s_number(made: TestDatabase, logged: io.StringIO) -> None:
    """Neither in the exception's words, nor in those of its causes, nor in the log."""
    await as_owner(
        made,
        "CREATE TABLE contact (number text UNIQUE, kind text CHECK (kind <> ''))",
        f'GRANT SELECT, INSERT ON contact TO "{ROLE}"',
    )
    insert = text("INSERT INTO contact VALUES (:number, :kind)")
    async with made.database.transaction() as conn:
        await conn.execute(insert, {"number": NUMBER, "kind": "sms"})
    said = []
    for kind in ("sms", ""):
        try:
            async with made.database.transaction() as conn:
                await conn.execute(insert, {"number": NUMBER, "kind": kind})
        except IntegrityError as fault:
            structlog.get_logger().exception("refused", why=repr(fault))
            one: BaseException | None = fault
            while one is not None:
                said += [str(one), repr(one)]
                one = one.__cause__ or one.__context__
    assert "contact_number_key" in "".join(said)
    assert "contact_kind_check" in logged.getvalue()
    assert NUMBER not in "".join(said)
    assert NUMBER not in logged.getvalue()
    assert await effects(made.database) == []
