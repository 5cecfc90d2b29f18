"""The command line: real processes of payments and of the simulated provider."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx
from tests.integration.payments.conftest import PEPPER
from tests.support.databases import TestDatabase
from tests.support.tokens import TestIssuer
from tests.support.wait import until

from npms_tools.provider.cli import make_secret

MakeDatabase = Callable[[str], Awaitable[TestDatabase]]
PAYMENTS = (sys.executable, "-c", "from npms_payments.cli import app; app()")
PAYSIM = (sys.executable, "-m", "npms_tools.provider.cli")


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        return int(sock.getsockname()[1])


async def spawn(*command: str, **variables: str) -> asyncio.subprocess.Process:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("NPMS_")}
    return await asyncio.create_subprocess_exec(
        *command,
        env={**kept, **variables},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )


async def ready(url: str) -> bool:
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            return (await client.get(url)).status_code == 200
        except httpx.HTTPError:
            return False


async def test_configuration_that_is_missing_is_named(tmp_path: Path) -> None:
    process = await spawn(*PAYMENTS, "run", NPMS_PAYMENTS_VOUCHER_PEPPER="too short to be one")
    said, _ = await process.communicate()
    assert process.returncode == 2
    assert b"NPMS_PAYMENTS_VOUCHER_PEPPER" in said
    assert b"NPMS_PAYMENTS_DATABASE_URL" in said
    assert b"too short to be one" not in said


async def test_it_migrates_runs_and_stops(
    database_for: MakeDatabase, amqp_url: str, issuer: TestIssuer
) -> None:
    made, secret = await database_for("payments"), make_secret()
    port, internal_port, sim_port = free_port(), free_port(), free_port()
    url, sim_url = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{sim_port}"
    variables = {
        "NPMS_PAYMENTS_DATABASE_URL": made.url,
        "NPMS_PAYMENTS_MIGRATION_DATABASE_URL": made.migration_url,
        "NPMS_PAYMENTS_AMQP_URL": amqp_url,
        "NPMS_PAYMENTS_JWKS_PATH": str(issuer.jwks_path),
        "NPMS_PAYMENTS_VOUCHER_PEPPER": PEPPER,
        "NPMS_PAYMENTS_PAYSIM_URL": sim_url,
        "NPMS_PAYMENTS_PAYSIM_WEBHOOK_SECRETS": secret,
        "NPMS_PAYMENTS_PORT": str(port),
        "NPMS_PAYMENTS_INTERNAL_PORT": str(internal_port),
    }
    for command in ("migrate", "invariants"):
        done = await spawn(*PAYMENTS, command, **variables)
        said, _ = await done.communicate()
        assert done.returncode == 0, said.decode()
    service = await spawn(*PAYMENTS, "run", **variables)
    sim = await spawn(*PAYSIM, "run", "--port", str(sim_port), NPMS_PAYSIM_WEBHOOK_SECRET=secret)
    try:
        await until(lambda: ready(f"{url}/health/ready"), within_s=30)
        await until(lambda: ready(f"http://127.0.0.1:{internal_port}/metrics"), within_s=30)
        assert not await ready(f"{url}/metrics")
        await until(lambda: ready(f"{sim_url}/health/live"), within_s=30)
    finally:
        for process in (service, sim):
            process.send_signal(signal.SIGTERM)
        said, _ = await service.communicate()
        await sim.communicate()
    assert service.returncode == 0, said.decode()
    assert b"service_stopped" in said
