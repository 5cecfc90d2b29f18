"""One world for each module of system tests, stopped in good order at its end."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from tests.support.databases import keep_every_commit
from tests.support.nodes import Nodes
from tests.support.world import PREFIX, World

from npms_tools.stack.databases import drop_databases
from npms_tools.stack.services import SERVICES


@pytest.fixture(scope="module")
async def world(nodes: Nodes, request: pytest.FixtureRequest) -> AsyncIterator[World]:
    if nodes.is_own_server:
        await keep_every_commit(nodes.postgres_url)
    drop_databases(nodes.postgres_url, SERVICES, PREFIX)
    nodes.drop_vhost("system")
    world = await asyncio.to_thread(World, nodes.stack, vhost="system")
    await asyncio.to_thread(world.start)
    try:
        await world.open_homes(getattr(request.module, "HOMES", 40))
        yield world
    finally:
        await world.http.aclose()
        await asyncio.to_thread(world.stop)
        nodes.drop_vhost("system")
