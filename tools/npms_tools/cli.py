"""`npms` in development: the operator's commands on a local stack, and development's own."""

import os
import sys

import typer

from npms_operations import cli as operations
from npms_operations.command_line import Commands, make_command_line, run
from npms_tools.stack.lending import lend, take_stack_name

COMMANDS: Commands = {
    **operations.COMMANDS,
    "stack": ("npms_tools.stack.commands:app", "PostgreSQL and RabbitMQ on this machine"),
    "revision": ("npms_tools.revision:revision", "Begin a service's next migration"),
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
    "token": ("npms_tools.stack.commands:token", "Print a token of the development issuer"),
    "forecast-backtest": (
        "npms_tools.backtest.cli:backtest",
        "Error of the forecast of days left, beside the naive one",
    ),
    "sinks": ("npms_tools.sinks.cli:sinks", "A mail server and an SMS operator that keep all"),
    "locks": ("npms_tools.locks:locks", "Cut each image's lock out of requirements.lock"),
    "schemas": ("npms_tools.schemas.cli:schemas", "Write golden schemas, AsyncAPI and OpenAPI"),
}
ABOUT = "What development, demonstration and proof of NPMS need, and the operator's commands."


def app() -> None:
    """The entry point; an operator's command is lent what it needs of the stack named `--stack`."""
    words, stack_name = sys.argv[1:], None
    if words[:1] and words[0] in operations.COMMANDS:
        words, stack_name = take_stack_name(words)
    run(COMMANDS, ABOUT, words, before=lambda: lend(words, stack_name, os.environ))


def command_line(chosen: list[str]) -> typer.Typer:
    """The application with the chosen command loaded and the others listed only."""
    return make_command_line(COMMANDS, ABOUT, chosen)
