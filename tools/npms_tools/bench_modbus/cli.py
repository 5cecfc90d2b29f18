"""`npms bench-modbus`: what a read costs, beside other clients, and what late answers do."""

import json as json_module
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from npms_tools.bench import machine
from npms_tools.bench_modbus import peers
from npms_tools.bench_modbus.peers import Peer

COUNT = 20
OURS = {"ours, Modbus/TCP": "bus", "pymodbus + uvloop, Modbus/TCP": "pymodbus"}
OURS_RTU = {"ours, RTU over TCP": "rtu", "pymodbus + uvloop, RTU over TCP": "pymodbus-rtu"}
LATE, LATE_LINES, LATE_TIMEOUT_S, LATE_WINDOW_MS = 0.02, 20, 0.05, 300
IN_FLIGHT = 8

Figures = dict[str, Any]


def bench_modbus(
    seconds: Annotated[float, typer.Option(help="of each run")] = 2,
    runs: Annotated[int, typer.Option(min=1, help="medians of so many")] = 3,
    connections: Annotated[str, typer.Option(help="how many at once")] = "1,50,200,1000",
    late_seconds: Annotated[float, typer.Option(help="of the runs with late answers")] = 10,
    json: Annotated[Path, typer.Option(help="where the figures go")] = Path(
        "bench-modbus-result.json"
    ),
) -> None:
    """Measure, server and clients each on a core of their own; print tables."""
    console = Console()
    others = peers.find(typer.echo)
    with serving() as (tcp, *_), serving("--rtu") as (rtu, *_):
        clients = _clients(others, tcp, rtu)
        speed = {
            count: _speed(clients, count, seconds, runs, console)
            for count in map(int, connections.split(","))
        }
        in_flight = _medians(
            [
                _run([*_load("bus", [tcp]), "--depth", str(IN_FLIGHT), *_size(1, seconds)])
                for _ in range(runs)
            ]
        )
    results = {
        "machine": machine.describe(),
        "load_average": os.getloadavg(),
        "runs": runs,
        "seconds": seconds,
        "absent": {peer.name: peer.absent for peer in others if peer.absent},
        "speed": speed,
        f"one_connection_{IN_FLIGHT}_in_flight": in_flight,
        "late": _late(late_seconds, console),
    }
    json.write_text(json_module.dumps(results, indent=2) + "\n")
    show(results, console)
    console.print(f"figures: {json}")


def _clients(others: list[Peer], tcp: int, rtu: int) -> dict[str, list[str]]:
    """Commands, which lack only how many connections and for how long."""
    return {
        **{name: _load(subject, [tcp]) for name, subject in OURS.items()},
        **{name: _load(subject, [rtu]) for name, subject in OURS_RTU.items()},
        **{peer.name: [*peer.command, str(tcp)] for peer in others if not peer.absent},
    }


def _load(subject: str, ports: list[int]) -> list[str]:
    given = ",".join(map(str, ports))
    return [sys.executable, "-m", "npms_tools.bench_modbus.load", subject, "--ports", given]


def _size(connections: int, seconds: float) -> list[str]:
    return ["--connections", str(connections), "--seconds", str(seconds), "--count", str(COUNT)]


def _speed(
    clients: dict[str, list[str]], connections: int, seconds: float, runs: int, console: Console
) -> dict[str, Figures]:
    """By turns, so that a slow moment of the machine hits all."""
    console.print(f"{connections} connections")
    found: dict[str, list[Figures]] = {name: [] for name in clients}
    for _ in range(runs):
        for name, command in clients.items():
            is_own = command[0] == sys.executable
            size = (
                _size(connections, seconds)
                if is_own
                else [str(connections), str(seconds), str(COUNT)]
            )
            found[name].append(_run([*command, *size]))
    return {name: _medians(one) for name, one in found.items()}


def _medians(runs: list[Figures]) -> Figures:
    cost_s = median(run["cpu_s"] / max(run["reads"], 1) for run in runs)
    return {
        "reads_per_s": round(median(run["reads"] / run["wall_s"] for run in runs)),
        "cpu_s_per_1000": round(cost_s * 1000, 4),
        "wrong": sum(run["wrong"] for run in runs),
        "faults": sum(run["faults"] for run in runs),
    }  # fmt: skip


def _late(seconds: float, console: Console) -> dict[str, Figures]:
    """Two blocks of one length by turns from one unit; a share of the answers comes late."""
    console.print(f"{LATE:.0%} late answers for {seconds:g} s each")
    found = {}
    for name, subject in OURS_RTU.items():
        with serving("--rtu", "--late", str(LATE), "--lines", str(LATE_LINES)) as ports:
            command = [
                *_load(subject, ports), "--connections", str(LATE_LINES), "--blocks", "2",
                "--count", "10", "--seconds", str(seconds), "--timeout-s", str(LATE_TIMEOUT_S),
                "--late-window-ms", str(LATE_WINDOW_MS),
            ]  # fmt: skip
            run = _run(command)
        found[name] = {key: run[key] for key in ("reads", "wrong", "faults")}
    return found


@contextmanager
def serving(*flags: str) -> Iterator[list[int]]:
    """The server in a process of its own, on the first core; yields its ports."""
    command = [sys.executable, "-m", "npms_tools.bench_modbus.server", *flags]
    settle = partial(_settle_on, first=True)
    with subprocess.Popen(  # no threads here, so there may be something to do before it begins
        command,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=settle,  # noqa: PLW1509
    ) as process:
        try:
            assert process.stdout is not None
            yield [int(port) for port in process.stdout.readline().split()]
        finally:
            process.kill()


def _run(command: list[str]) -> Figures:
    """One client on the last core, to its end."""
    settle = partial(_settle_on, first=False)
    result = subprocess.run(command, stdout=subprocess.PIPE, check=True, preexec_fn=settle)
    figures: Figures = json_module.loads(result.stdout)
    return figures


def _settle_on(*, first: bool) -> None:
    cores = sorted(os.sched_getaffinity(0))
    os.sched_setaffinity(0, {cores[0] if first else cores[-1]})
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(most, 65_536), most))


def show(results: Figures, console: Console) -> None:
    """CPU-seconds for 1,000 reads and reads a second, by client and connections."""
    counts = list(results["speed"])
    table = Table(title=f"CPU-s per 1,000 reads of {COUNT} registers (reads/s)")
    for heading in ("client", *(f"{count} connections" for count in counts)):
        table.add_column(heading, justify="left" if heading == "client" else "right")
    for name in results["speed"][counts[0]]:
        cells = [results["speed"][count][name] for count in counts]
        table.add_row(name, *(_cell(cell) for cell in cells))
    key = f"one_connection_{IN_FLIGHT}_in_flight"
    table.add_row(f"ours, {IN_FLIGHT} in flight", _cell(results[key]))
    for name, why in results["absent"].items():
        table.add_row(name, f"absent: {why}")
    console.print(table)
    late = Table("client", "reads taken as good", "wrong", "share", "faults told",
                 title=f"{LATE:.0%} of the answers 60 to 150 ms late, time-out 50 ms")  # fmt: skip
    for name, one in results["late"].items():
        share = f"{one['wrong'] / max(one['reads'], 1):.2%}"
        late.add_row(name, f"{one['reads']:,}", f"{one['wrong']:,}", share, f"{one['faults']:,}")
    console.print(late)
    console.print(f"{results['machine']}, load average {results['load_average'][0]:.1f}")


def _cell(figures: Figures) -> str:
    return f"{figures['cpu_s_per_1000']:.3f} ({figures['reads_per_s']:,})"
