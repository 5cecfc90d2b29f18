"""A filled world, made once; tests spoil it in transactions that are rolled back."""

from collections.abc import AsyncIterator

import pytest
from tests.integration.audit.audit_world import Databases, World, fill
from tests.support.databases import DatabaseFactory

from npms_operations.audit.places import Places
from npms_tools.stack.services import SERVICES


@pytest.fixture(scope="session")
async def filled(databases: DatabaseFactory) -> AsyncIterator[Databases]:
    """The databases of a consistent history."""
    made = {service: await databases.make(service) for service in SERVICES}
    await fill(World(made))
    yield made
    for database in made.values():
        await databases.drop(database)


@pytest.fixture
def places(filled: Databases) -> Places:
    return Places({service: database.url for service, database in filled.items()})
