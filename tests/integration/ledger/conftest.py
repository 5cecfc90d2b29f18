"""A ledger on a database of its own, with a clock that tests move."""

from datetime import UTC, datetime

import httpx
import pytest
from tests.integration.ledger.house import House

from npms_ledger.bootstrap import build
from npms_ledger.settings import LedgerSettings
from npms_shared.clock import ManualClock

NOON = datetime(2026, 3, 4, 12, 0, tzinfo=UTC)


@pytest.fixture
async def house(database_for, issuer):
    made = await database_for("ledger")
    clock = ManualClock(NOON)
    settings = LedgerSettings(
        database_url=made.url,
        migration_database_url=made.migration_url,
        amqp_url="amqp://nowhere.invalid/",
        jwks_path=issuer.jwks_path,
    )
    service = build(settings, clock=clock)
    transport = httpx.ASGITransport(service.app)
    async with httpx.AsyncClient(transport=transport, base_url="http://ledger") as client:
        house = House(service=service, clock=clock, client=client, issuer=issuer, made=made)
        await house.prepare()
        yield house
    await service.database.close()
