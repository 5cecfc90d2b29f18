"""`npms topology --apply` on a broker that knows nothing yet."""

import asyncio

import aio_pika
import pytest
from tests.conftest import WORKER
from tests.support.nodes import Nodes

from npms_operations.topology.cli import topology
from npms_tools.stack.services import variable_of


async def test_applied_to_an_empty_broker_every_service_can_connect_and_finds_its_queues(
    nodes: Nodes, monkeypatch: pytest.MonkeyPatch
) -> None:
    vhost = f"applied-{WORKER}"
    broker = nodes.stack.urls().amqp_url.rpartition("/")[0]
    urls = nodes.stack.service_amqp_urls(f"{broker}/{vhost}")
    for service, url in urls.items():
        monkeypatch.setenv(variable_of(service, "amqp_url"), url)
    monkeypatch.setenv("NPMS_MANAGEMENT_URL", nodes.stack.urls().management_url or "")
    try:
        for _ in range(2):
            await asyncio.to_thread(topology, partitions=2, apply=True)
        for service, url in urls.items():
            async with await aio_pika.connect(url) as connection:
                channel = await connection.channel()
                await channel.declare_queue(f"{service}.undelivered", durable=True, passive=True)
    finally:
        nodes.drop_vhost(vhost)
