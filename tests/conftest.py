"""What tests share: private nodes prepared on first use, fresh databases, a virtual host each."""

import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from tests.support.adapters import share_adapters
from tests.support.databases import DatabaseFactory, TestDatabase
from tests.support.nodes import Nodes
from tests.support.tokens import TestIssuer

from npms_tools.stack.mosquitto import MosquittoNode

settings.register_profile("quick", max_examples=40, deadline=None, derandomize=True)
settings.register_profile(
    "deep", max_examples=2000, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile(os.environ.get("NPMS_TEST_PROFILE", "quick"))

share_adapters()

WORKER = f"{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
"""Names what this process makes, so that two runs at a time do not take it from each other."""


@pytest.fixture(scope="session")
def nodes() -> Nodes:
    """PostgreSQL and RabbitMQ for tests: the environment's, or private nodes of our own."""
    return Nodes.prepare(progress=lambda line: print(line, file=sys.stderr))


@pytest.fixture(scope="session")
def mosquitto(nodes: Nodes) -> MosquittoNode:
    """An MQTT broker of this worker's own, which tests kill; installed and started on first use."""
    name = f"mosquitto-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    return nodes.stack.up_mqtt(name, lambda line: print(line, file=sys.stderr))


@pytest.fixture(scope="session")
async def databases(nodes: Nodes) -> AsyncIterator[DatabaseFactory]:
    factory = DatabaseFactory(nodes, worker=WORKER)
    yield factory
    await factory.close()


@pytest.fixture
async def database_for(
    databases: DatabaseFactory,
) -> AsyncIterator[Callable[[str], Awaitable[TestDatabase]]]:
    """`await database_for("ledger")`: a fresh migrated database, gone after the test."""
    made: list[TestDatabase] = []

    async def make(service: str) -> TestDatabase:
        made.append(await databases.make(service))
        return made[-1]

    yield make
    for database in made:
        await databases.drop(database)


@pytest.fixture(scope="module")
def amqp_url(nodes: Nodes) -> Iterator[str]:
    """A virtual host of the module's own."""
    yield nodes.make_vhost(f"test-{WORKER}")
    nodes.drop_vhost(f"test-{WORKER}")


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> TestIssuer:
    return TestIssuer(Path(tmp_path_factory.mktemp("issuer")))
