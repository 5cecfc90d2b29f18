"""A fresh tariff database with the example plans, and its REST interface."""

from collections.abc import AsyncIterator, Awaitable, Callable

import httpx
import pytest
from fastapi import FastAPI
from tests.support.databases import TestDatabase
from tests.support.migrating import Migrate, Owner, migrated_by_steps
from tests.support.nodes import Nodes
from tests.support.tariff import TariffHarness, example, put_in_force, service
from tests.support.tokens import TestIssuer


@pytest.fixture
async def tariff_database(database_for: Callable[[str], Awaitable[TestDatabase]]) -> TestDatabase:
    return await database_for("tariff")


@pytest.fixture
async def harness(tariff_database: TestDatabase) -> TariffHarness:
    return TariffHarness(tariff_database.database)


@pytest.fixture
async def app(
    tariff_database: TestDatabase, issuer: TestIssuer, harness: TariffHarness
) -> AsyncIterator[FastAPI]:
    built = service(tariff_database.url, issuer.jwks_path, harness.clock)
    yield built.app
    await built.database.close()


@pytest.fixture
async def client(app: FastAPI, issuer: TestIssuer) -> AsyncIterator[httpx.AsyncClient]:
    """As an operator, Amina."""
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app),
        base_url="http://tariff",
        headers=issuer.headers("operator", subject="amina"),
    ) as client:
        yield client


@pytest.fixture
async def second(issuer: TestIssuer) -> dict[str, str]:
    """Headers of another operator than the client's."""
    return issuer.headers("operator", subject="baraka")


@pytest.fixture
async def plans(client: httpx.AsyncClient, second: dict[str, str]) -> None:
    for name in ("flat", "time-of-use", "inclining-blocks"):
        await put_in_force(client, second, example(name))


@pytest.fixture
async def old_database(
    nodes: Nodes, tariff_database: TestDatabase
) -> AsyncIterator[tuple[Migrate, Owner]]:
    """An empty database: what migrates it step by step, and its owner's connection."""
    async with migrated_by_steps(nodes, "tariff") as (migrate, owner):
        yield migrate, owner
