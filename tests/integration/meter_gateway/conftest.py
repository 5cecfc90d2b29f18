"""What the tests of the gateway share: its REST interface over the test's `world`."""

from collections.abc import AsyncIterator

import httpx
import pytest
from tests.integration.meter_gateway.gateway_world import World
from tests.support.tokens import TestIssuer

from npms_meter_gateway.bootstrap import build
from npms_meter_gateway.settings import MeterGatewaySettings


@pytest.fixture
async def http(world: World, issuer: TestIssuer, amqp_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """As the operator amina."""
    settings = MeterGatewaySettings(
        database_url=world.store.url, amqp_url=amqp_url, jwks_path=issuer.jwks_path
    )  # type: ignore[arg-type]
    service = build(settings, clock=world.clock)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(service.app),
        base_url="http://gateway",
        headers=issuer.headers("operator", subject="amina"),
    ) as client:
        yield client
    await service.database.close()
