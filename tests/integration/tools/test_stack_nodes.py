"""Private nodes for real: started, injured, started again on the same data, removed."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import aio_pika
import asyncpg
import pytest
from tests.support.nodes import Nodes

from npms_tools.stack import Stack, StackError, prepare_databases, processes
from npms_tools.stack.databases import drop_databases


@pytest.fixture
def stack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stack]:
    for variable in ("NPMS_POSTGRES_URL", "NPMS_AMQP_URL"):
        monkeypatch.delenv(variable, raising=False)
    stack = Stack("nodes", tmp_path)
    yield stack
    stack.clean()


async def test_nodes_survive_injuries_with_their_data(stack: Stack):
    urls = await asyncio.to_thread(stack.up, lambda _line: None)
    await put(urls.postgres_admin_url, urls.amqp_url)

    await asyncio.to_thread(wait_registered, stack)
    await asyncio.to_thread(injure, stack)

    assert await asyncio.to_thread(stack.up, lambda _line: None) == urls
    assert await found(urls.postgres_admin_url, urls.amqp_url) == (7, b"kept")
    assert stack.vhost("other").endswith("/other")


async def put(postgres_url: str, amqp_url: str) -> None:
    conn = await asyncpg.connect(postgres_url)
    await conn.execute("CREATE TABLE kept AS SELECT 7 AS number")
    await conn.close()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await channel.declare_queue("kept", durable=True, arguments={"x-queue-type": "quorum"})
        message = aio_pika.Message(b"kept", delivery_mode=aio_pika.DeliveryMode.PERSISTENT)
        await channel.default_exchange.publish(message, "kept")


async def found(postgres_url: str, amqp_url: str) -> tuple[int, bytes]:
    conn = await asyncpg.connect(postgres_url)
    number = await conn.fetchval("SELECT number FROM kept")
    await conn.close()
    async with await aio_pika.connect(amqp_url) as connection:
        queue = await (await connection.channel()).get_queue("kept")
        message = await queue.get(timeout=10)
        assert message is not None
        await message.ack()
        return number, message.body


def wait_registered(stack: Stack) -> None:
    """RabbitMQ 3.10 writes down which quorum queues it has up to half a second after declaring."""
    names = next(stack.folder.glob("nodes/rabbitmq/data/*/quorum/*/names.dets"))
    assert processes.wait_until(lambda: b"npms_kept" in names.read_bytes(), seconds=10)


def injure(stack: Stack) -> None:
    stack.kill_broker()
    stack.stop_postgres("immediate")
    assert set(stack.status().values()) == {"stopped"}


async def test_the_applications_role_can_neither_change_the_schema_nor_look_elsewhere(nodes: Nodes):
    services, prefix = ("ledger", "tariff"), "npms_stacktest"
    databases = prepare_databases(nodes.postgres_url, services, prefix, secret="s")
    try:
        conn = await asyncpg.connect(databases["ledger"].url)
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await conn.execute("CREATE TABLE mine (x int)")
        await conn.close()
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await asyncpg.connect(databases["ledger"].url.rpartition("/")[0] + f"/{prefix}_tariff")
        owner = await asyncpg.connect(databases["ledger"].migration_url)
        await owner.execute("CREATE TABLE ours (x int)")
        await owner.close()
        assert prepare_databases(nodes.postgres_url, services, prefix, secret="s") == databases
    finally:
        drop_databases(nodes.postgres_url, services, prefix)


def test_a_server_that_cannot_be_reached_is_named():
    with pytest.raises(StackError, match=r"PostgreSQL at 127\.0\.0\.1:9 cannot be used"):
        prepare_databases("postgresql://u:p@127.0.0.1:9/postgres", ["ledger"])
