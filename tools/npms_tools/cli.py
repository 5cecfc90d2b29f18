"""`npms`: one line in COMMANDS for each command; its module is imported only when it is called."""

import sys
from importlib import import_module
from typing import Any

import typer

from npms_tools.stack.errors import StackError

COMMANDS: dict[str, tuple[str, str]] = {
    "stack": ("npms_tools.stack.commands:app", "PostgreSQL and RabbitMQ on this machine"),
    "topology": (
        "npms_tools.topology:topology",
        "Users, rights and queues for RabbitMQ",
    ),
    "parked": ("npms_tools.stack.commands:parked", "List, show, replay or drop parked messages"),
    "revision": ("npms_tools.revision:revision", "Begin a service's next migration"),
    "audit": ("npms_tools.audit.cli:audit", "Prove that money and energy were conserved"),
    "plan": ("npms_tools.plan.cli:app", "Check, import or simulate a plan in a file"),
    "cuts": ("npms_tools.cuts:cuts", "Who would be cut in the next hours, and what avoids it"),
    "bench": ("npms_tools.bench.cli:bench", "Readings a second, beside pgbench and a bare loop"),
    "bench-rating": ("npms_tools.bench.rating:bench_rating", "Rating alone, beside bare additions"),
    "bench-modbus": ("npms_tools.bench_modbus.cli:bench_modbus", "Modbus reads, beside others"),
    "bench-gateway": (
        "npms_tools.bench_gateway.cli:bench_gateway",
        "What one gateway process needs for ten thousand meters",
    ),
    "demo": ("npms_tools.demo.cli:demo", "The main job on a simulated street, step by step"),
    "soak": ("npms_tools.soak.cli:soak", "Every fault on real services, all values accounted for"),
    "street": ("npms_tools.street.cli:street", "Simulated meters on Modbus/TCP sockets"),
    "meter": ("npms_tools.meter.cli:app", "Recognise a meter at an address, or read all of it"),
    "profile": ("npms_tools.profile.cli:app", "Check a meter profile in a file, or list them"),
    "token": ("npms_tools.stack.commands:token", "Print a token of the development issuer"),
    "forecast-backtest": (
        "npms_tools.backtest.cli:backtest",
        "Error of the forecast of days left, beside the naive one",
    ),
    "sinks": ("npms_tools.sinks.cli:sinks", "A mail server and an SMS operator that keep all"),
    "why": ("npms_tools.why.cli:app", "Why a charge, a balance, a cut or a top-up is as it is"),
    "schemas": ("npms_tools.schemas.cli:schemas", "Write golden schemas, AsyncAPI and OpenAPI"),
}
"""Name: where a typer app (of several verbs) or a function (one command) is, and a line of help."""


def app() -> None:
    """The entry point; what cannot be done is said on stderr, with exit status 1."""
    try:
        command_line(sys.argv[1:2])()
    except StackError as fault:
        print(f"\n{fault}", file=sys.stderr)
        raise SystemExit(1) from None


def command_line(chosen: list[str]) -> typer.Typer:
    """The application with the chosen command loaded and the others listed only."""
    root = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
    root.callback()(_npms)
    for name, (place, summary) in COMMANDS.items():
        command: Any = _load(place) if chosen == [name] else _listed
        if isinstance(command, typer.Typer):
            root.add_typer(command, name=name, help=summary, no_args_is_help=True)
        else:
            root.command(name, help=summary)(command)
    return root


def _npms() -> None:
    """What development, demonstration and proof of NPMS need."""


def _listed() -> None:
    raise AssertionError("a command that was not chosen cannot be called")


def _load(place: str) -> Any:
    module, _, name = place.partition(":")
    return getattr(import_module(module), name)
