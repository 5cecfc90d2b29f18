"""`npms bench`: readings a second from the gateway's store to the posted balance, durably."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer
import uvloop
from rich.console import Console

from npms_tools.bench import durability, machine, measure, pgbench, report, seeding
from npms_tools.bench.ground import Ground
from npms_tools.bench.probe import Probe
from npms_tools.stack import packages
from npms_tools.stack.local import Stack

PGBENCH_S = 15


def bench(
    seconds: Annotated[float, typer.Option(help="how long the sustained rate is measured")] = 60,
    installations: Annotated[int, typer.Option(min=100)] = 100_000,
    bare_seconds: Annotated[float, typer.Option(help="likewise for the bare loop")] = 30,
    paced_seconds: Annotated[float, typer.Option(help="likewise for each latency")] = 15,
    json: Annotated[Path, typer.Option(help="where the figures go")] = Path("bench-result.json"),
) -> None:
    """Measure, beside `pgbench -N` and a bare loop in the same run; print a table."""
    console = Console()
    stack = Stack("bench")
    stack.up(typer.echo)
    work = _measure(
        stack,
        console,
        seconds=seconds,
        installations=installations,
        bare_seconds=bare_seconds,
        paced_seconds=paced_seconds,
    )
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        results = runner.run(work)
    report.write(results, json)
    report.show(results, console)
    console.print(f"figures: {json}; the books: npms audit --stack bench")


async def _measure(
    stack: Stack,
    console: Console,
    *,
    seconds: float,
    installations: int,
    bare_seconds: float,
    paced_seconds: float,
) -> dict[str, Any]:
    admin_url = stack.urls().postgres_admin_url
    results: dict[str, Any] = {
        "machine": machine.describe(),
        "durability": await durability.check(admin_url),
        "installations": installations,
    }
    console.print(f"pgbench -N for {PGBENCH_S} s")
    binaries = packages.postgres_binaries()
    assert binaries is not None
    transactions = await pgbench.transactions_per_second(
        admin_url, binaries=binaries, seconds=PGBENCH_S
    )
    console.print(f"the bare loop for {bare_seconds:.0f} s")
    bare = await _phase(stack, installations, bare=True, seconds=bare_seconds)
    console.print(f"NPMS for {seconds:.0f} s, then its latencies")
    real = await _phase(stack, installations, bare=False, seconds=seconds, paced_s=paced_seconds)
    rate = real["readings_per_second"]
    return {
        **results,
        "npms": real,
        "bare_loop": bare,
        "pgbench_N_tps": round(transactions),
        "ratios": {
            "npms_to_bare_loop": round(rate / bare["readings_per_second"], 3),
            "readings_to_pgbench_transactions": round(rate / transactions, 2),
        },
    }


async def _phase(
    stack: Stack, installations: int, *, bare: bool, seconds: float, paced_s: float = 0
) -> dict[str, Any]:
    ground, opened_at = Ground(stack), seeding.begins_at()
    await ground.prepare(installations, opened_at)
    empty = await measure.stored_bytes(ground)
    with ground.running(bare=bare):
        async with measure.benching(
            ground, installations=installations, opened_at=opened_at, bare=bare
        ) as running:
            before = ground.cpu_seconds()
            rate = await running.sustained(seconds)
            figures: dict[str, Any] = {"readings_per_second": round(rate), "seconds": seconds}
            if not bare:
                figures["cpu_us_a_reading"] = _cpu_us(before, ground, running.posted.count)
            if paced_s:
                figures["latency"] = await _latencies(ground, running, rate, paced_s)
                figures["memory_mb"] = {**ground.memory_mb(), "feeder": measure.own_memory_mb()}
            await running.drain()
            figures["readings"] = running.feed.accepted
    figures["stored_bytes_a_reading"] = _per_reading(
        empty, await measure.stored_bytes(ground), figures["readings"]
    )
    return figures


def _cpu_us(before: dict[str, float], ground: Ground, readings: int) -> dict[str, float]:
    """Of the processes that rate and post, warm-up included; the database's share is its own."""
    used = ground.cpu_seconds()
    return {
        service: round((used[service] - before[service]) * 1e6 / readings, 1)
        for service in ("tariff", "ledger")
    }


async def _latencies(
    ground: Ground, running: measure.Bench, rate: float, seconds: float
) -> dict[str, Any]:
    return {
        name: await _latency(ground, running, rate * share, seconds)
        for name, share in (("at_a_tenth", 0.1), ("at_eight_tenths", 0.8))
    }


async def _latency(
    ground: Ground, running: measure.Bench, per_second: float, seconds: float
) -> dict[str, Any]:
    probe = Probe(ground.databases["ledger"].url)
    stopping = asyncio.Event()
    looking = asyncio.create_task(probe.run(stopping))
    try:
        found = await running.paced(per_second, seconds, probe)
    finally:
        stopping.set()
        await looking
    return {"readings_per_second": round(per_second), **found}


def _per_reading(before: dict[str, int], after: dict[str, int], readings: int) -> dict[str, float]:
    grown = {service: (after[service] - before[service]) / readings for service in after}
    return {
        **{service: round(v, 1) for service, v in grown.items()},
        "all": round(sum(grown.values()), 1),
    }
