"""Five services for a module: what is asked of them changes little, and databases cost time."""

from collections.abc import AsyncIterator

import pytest
from tests.integration.rest.five import Five, five_services
from tests.support.databases import DatabaseFactory, TestDatabase
from tests.support.tokens import TestIssuer


@pytest.fixture(scope="package")
async def five(databases: DatabaseFactory, issuer: TestIssuer) -> AsyncIterator[Five]:
    made: list[TestDatabase] = []

    async def make(service: str) -> TestDatabase:
        made.append(await databases.make(service))
        return made[-1]

    async with five_services(make, issuer) as five:
        yield five
    for database in made:
        await databases.drop(database)
