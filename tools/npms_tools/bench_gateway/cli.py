"""`npms bench-gateway`: the real services, and one gateway process that polls all meters."""

import asyncio
import json as json_format
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, timedelta
from pathlib import Path
from typing import Annotated, Any

import asyncpg
import httpx
import psutil
import typer
from prometheus_client.parser import text_string_to_metric_families
from rich.console import Console
from rich.table import Table

from npms_shared.clock import wall_now
from npms_tools.bench import machine
from npms_tools.bench.ground import Ground
from npms_tools.bench_gateway.meters import NETWORK, PORT, PROFILE
from npms_tools.stack.local import Stack

A_PROCESS = 5_000
"""Meters a process of the simulator serves: two files each."""
CONNECTS_PER_S = 400
ALL_IN_S = 180.0
_PLACE = """
    UPDATE installation SET profile = $1, port = $2, unit_id = 1,
        host = '127.8.' || (installation_id - 1) / $3::int || '.' || (installation_id - 1) % $3 + 1
"""
_GATEWAYS = "INSERT INTO gateway (host, port) SELECT host, port FROM installation"


def bench_gateway(
    meters: Annotated[int, typer.Option(min=10, max=50_000)] = 10_000,
    interval_s: Annotated[int, typer.Option(help="between two polls of a meter")] = 60,
    seconds: Annotated[int, typer.Option(help="how long is measured", min=10)] = 90,
    json: Annotated[Path, typer.Option(help="where the figures go")] = Path(
        "bench-gateway-result.json"
    ),
) -> None:
    """Poll so many addresses at this cadence, store, tell, rate and post; measure the processes."""
    console = Console()
    stack = Stack("bench")
    stack.up(typer.echo)
    ground = Ground(
        stack,
        {
            "meter-gateway": {
                "NPMS_METER_GATEWAY_POLL_INTERVAL_S": str(interval_s),
                "NPMS_METER_GATEWAY_CONNECTS_PER_S": str(CONNECTS_PER_S),
            }
        },
    )
    asyncio.run(_prepare(ground, meters))
    with _meters(meters), ground.running(bare=False):
        console.print(f"{meters} meters, each every {interval_s} s; waiting until all are read")
        asyncio.run(_until_all_read(ground, meters))
        console.print(f"measuring for {seconds} s")
        before = asyncio.run(_figures(ground))
        time.sleep(seconds)
        after = asyncio.run(_figures(ground))
        memory = ground.memory_mb()["meter-gateway"]
    results = _results(before, after, meters=meters, interval_s=interval_s, memory_mb=memory)
    json.write_text(json_format.dumps(results, indent=2) + "\n", encoding="utf-8")
    _show(results, console)


async def _prepare(ground: Ground, meters: int) -> None:
    opened_at = (wall_now() - timedelta(hours=1)).astimezone(UTC).replace(microsecond=0)
    await ground.prepare(meters, opened_at)
    conn = await asyncpg.connect(ground.databases["meter-gateway"].migration_url)
    try:
        await conn.execute(_PLACE, PROFILE, PORT, NETWORK)
        await conn.execute(_GATEWAYS)
        await conn.execute("VACUUM ANALYZE")
    finally:
        await conn.close()


@contextmanager
def _meters(count: int) -> Iterator[None]:
    running = []
    try:
        for first in range(0, count, A_PROCESS):
            share = str(min(A_PROCESS, count - first))
            words = [sys.executable, "-m", "npms_tools.bench_gateway.meters", str(first), share]
            running.append(subprocess.Popen(words, stdout=subprocess.PIPE))
        for process in running:
            assert process.stdout is not None
            if process.stdout.readline() != b"listening\n":
                raise SystemExit("the meters could not listen")
        yield
    finally:
        for process in running:
            process.kill()


async def _until_all_read(ground: Ground, meters: int) -> None:
    conn = await asyncpg.connect(ground.databases["meter-gateway"].url)
    until = time.monotonic() + ALL_IN_S
    try:
        while await conn.fetchval("SELECT count(*) FROM meter_state WHERE link = 'reachable'") < (
            meters
        ):
            if time.monotonic() > until:
                raise SystemExit(f"not all meters were read within {ALL_IN_S:.0f} s")
            await asyncio.sleep(1)
    finally:
        await conn.close()


async def _figures(ground: Ground) -> dict[str, Any]:
    """What was done so far, and what it took."""
    conn = await asyncpg.connect(ground.databases["meter-gateway"].url)
    try:
        readings = await conn.fetchval("SELECT count(*) FROM reading")
        backends = await conn.fetch(
            "SELECT pid FROM pg_stat_activity WHERE datname = current_database()"
        )
    finally:
        await conn.close()
    return {
        "at": time.monotonic(),
        "readings": readings,
        "cpu_s": ground.cpu_seconds(),
        "backends_cpu_s": sum(_cpu_s(row["pid"]) for row in backends),
        **_metrics(ground),
    }


def _cpu_s(pid: int) -> float:
    try:
        return sum(psutil.Process(pid).cpu_times()[:2])
    except psutil.NoSuchProcess:
        return 0.0


def _metrics(ground: Ground) -> dict[str, Any]:
    page = httpx.get(f"{ground.services['meter-gateway'].internal_url}/metrics", timeout=10).text
    found: dict[str, Any] = {"lateness": {}, "polls": {}}
    for family in text_string_to_metric_families(page):
        for sample in family.samples:
            if sample.name == "npms_gateway_poll_lateness_seconds_bucket":
                bound = sample.labels["le"]
                found["lateness"][bound] = found["lateness"].get(bound, 0) + sample.value
            elif sample.name == "npms_gateway_polls_total":
                found["polls"][sample.labels["outcome"]] = sample.value
    return found


def _results(
    before: dict[str, Any], after: dict[str, Any], *, meters: int, interval_s: int, memory_mb: float
) -> dict[str, Any]:
    seconds = after["at"] - before["at"]
    polls = {
        outcome: count - before["polls"].get(outcome, 0)
        for outcome, count in after["polls"].items()
    }
    late = {
        bound: count - before["lateness"].get(bound, 0)
        for bound, count in after["lateness"].items()
    }
    cores = {
        service: round((used - before["cpu_s"][service]) / seconds, 3)
        for service, used in after["cpu_s"].items()
    }
    return {
        "machine": machine.describe(),
        "load": psutil.getloadavg(),
        "meters": meters,
        "interval_s": interval_s,
        "seconds": round(seconds, 1),
        "polls_a_second": round(sum(polls.values()) / seconds, 1),
        "polls": polls,
        "readings_stored_a_second": round((after["readings"] - before["readings"]) / seconds, 1),
        "late_less_than_s": {
            bound: round(count / max(late["+Inf"], 1), 4) for bound, count in late.items()
        },
        "cores": cores,
        "cores_of_the_gateways_database": round(
            (after["backends_cpu_s"] - before["backends_cpu_s"]) / seconds, 3
        ),
        "memory_mb": memory_mb,
    }


def _show(results: dict[str, Any], console: Console) -> None:
    table = Table(title=f"{results['meters']} meters every {results['interval_s']} s")
    table.add_column("figure")
    table.add_column("measured", justify="right")
    table.add_row("polls a second", str(results["polls_a_second"]))
    table.add_row("readings stored a second", str(results["readings_stored_a_second"]))
    table.add_row("gateway process, of a core", str(results["cores"]["meter-gateway"]))
    table.add_row("its database backends", str(results["cores_of_the_gateways_database"]))
    table.add_row("memory", f"{results['memory_mb']} MB")
    for bound in ("0.1", "1.0", "5.0"):
        share = results["late_less_than_s"].get(bound)
        table.add_row(f"polls begun within {bound} s of their time", str(share))
    console.print(table)
