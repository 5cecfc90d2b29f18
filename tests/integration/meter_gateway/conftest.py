"""What the tests of the gateway share: its REST interface over the test's `world`."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from tests.support.databases import TestDatabase
from tests.support.gateway_world import World, client_of, scaled_clock, service_of
from tests.support.tokens import TestIssuer


@pytest.fixture
async def world(database_for: Callable[[str], Awaitable[TestDatabase]]) -> World:
    """Without installations, in the evening of a day that goes ten minutes a second."""
    return World(await database_for("meter-gateway"), scaled_clock())


@pytest.fixture
async def http(world: World, issuer: TestIssuer, amqp_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """As the operator amina."""
    headers = issuer.headers("operator", subject="amina")
    async with (
        service_of(world, issuer, amqp_url=amqp_url) as service,
        client_of(service, headers) as client,
    ):
        yield client
