"""`npms plan simulate` against a served tariff service."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from click.testing import Result
from tests.support.tariff import OPENED_AT, opened, readings, service
from tests.support.wait import until
from typer.testing import CliRunner

from npms_operations.errors import CommandError
from npms_tools.cli import command_line

TOKEN = "NPMS_TOKEN"
FLAT = ("--under", "household-flat", "--version", "1")


@pytest.fixture
async def url(tariff_database, issuer, harness) -> AsyncIterator[str]:
    built = service(tariff_database.url, issuer.jwks_path, harness.clock)
    server = uvicorn.Server(uvicorn.Config(built.app, log_config=None, access_log=False))
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        serving = asyncio.create_task(server._serve([sock]))

        async def started() -> bool:
            return server.started

        await until(started, every_s=0.01, what="the server listens")
        yield f"http://127.0.0.1:{sock.getsockname()[1]}"
        server.should_exit = True
        await serving
    await built.database.close()


@pytest.fixture
async def used(harness, plans, monkeypatch, issuer):
    for number, code in ((1, "flat"), (2, "flat"), (3, "blocks")):
        await harness.hear(opened(number, plan_code=f"household-{code}"))
    for step in range(1, 10):
        rows = [(number, step * 9000, 1000 + step * 2000 * number) for number in (1, 2, 3)]
        await harness.read(readings(*rows))
    harness.clock.at = OPENED_AT.replace(month=12)
    monkeypatch.setenv(TOKEN, issuer.token("operator"))


async def simulate(*words: str) -> Result:
    app = command_line(["plan"])
    return await asyncio.to_thread(CliRunner().invoke, app, ["plan", "simulate", *words])


@pytest.mark.usefixtures("used")
async def test_a_simulation_is_shown_with_its_total_and_kept_line_by_line(url, tmp_path):
    kept = tmp_path / "lines"
    done = await simulate("--url", url, *FLAT, "--plan", "household-flat", "--lines", str(kept))
    assert done.exit_code == 0, done.output
    *_, total = [json.loads(line) for line in kept.read_text().splitlines()]
    assert total["line"] == "total"
    assert f"2 accounts, {total['energy']['value']} kWh: 0.000000 KES" in done.output
    assert f"Charged when it was used: {total['charged']['amount']} KES." in done.output
    assert "2 accounts whose cost would change most" in done.output
    for part in ("fixed:standing", "tax:vat", "101", "102"):
        assert part in done.output


@pytest.mark.usefixtures("used")
async def test_a_document_from_a_file_is_simulated(url, tmp_path):
    file = tmp_path / "new.json"
    periods = [{"name": "all", "blocks": [{"price": "1"}]}]
    file.write_text(json.dumps({"document": {"energy": {"periods": periods}}}))
    done = await simulate(
        "--url", url, "--under", "household-flat", "--document", str(file), "--account", "103"
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert "1 accounts, 54.000 kWh" in done.output


@pytest.mark.usefixtures("used")
async def test_what_is_refused_is_said_with_its_place(url, tmp_path, monkeypatch):
    file = tmp_path / "wrong.json"
    file.write_text(json.dumps({"energy": {"periods": []}}))
    cases = [
        (("--under", "none", "--version", "1", "--account", "101"), "404 not_found"),
        ((*FLAT,), "/of: one_of"),
        (
            ("--under", "household-flat", "--document", str(file), "--account", "101"),
            "/under/document/energy/periods: too_short",
        ),
    ]
    for words, said in cases:
        done = await simulate("--url", url, *words)
        assert isinstance(done.exception, CommandError)
        assert said in str(done.exception)
    monkeypatch.delenv(TOKEN)
    done = await simulate("--url", url, *FLAT, "--account", "101")
    assert TOKEN in str(done.exception)


async def test_a_service_that_is_not_there_is_named(monkeypatch):
    monkeypatch.setenv(TOKEN, "none")
    done = await simulate("--url", "http://127.0.0.1:9", *FLAT, "--account", "1")
    assert isinstance(done.exception, CommandError)
    assert "make demo" in str(done.exception)
