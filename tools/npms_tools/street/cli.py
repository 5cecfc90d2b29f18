"""`npms street`: runs the simulated street until it is stopped."""

import asyncio
import resource
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvicorn
import uvloop

from npms_shared.clock import clock_from_environment
from npms_shared.web.server import Server
from npms_tools.stack.errors import StackError
from npms_tools.street.control import control_app
from npms_tools.street.fault_plan import FaultPlan, load_plan
from npms_tools.street.journal import Journal
from npms_tools.street.register_map import shipped_profiles
from npms_tools.street.street import LIMITING, PROFILES, Plan, Street, Transports, build_street

app = typer.Typer(help="The simulated street: meters on real sockets that speak Modbus.")

ALL = "all"


@app.callback(invoke_without_command=True)
def street(
    port_base: Annotated[int, typer.Option(help="first gateway port; 0 lets the system choose")] = (
        15020
    ),
    control_port: Annotated[int, typer.Option(help="port of the control interface")] = 15000,
    meters: Annotated[int, typer.Option(min=1, help="how many meters")] = 24,
    gateways: Annotated[int, typer.Option(min=1, help="behind how many gateway addresses")] = 4,
    state: Annotated[Path | None, typer.Option(help="file that keeps the registers")] = None,
    limiting: Annotated[  # noqa: FBT002 - a flag of the command line
        bool, typer.Option("--limiting", help="also meters with a load limit")
    ] = False,
    profiles: Annotated[str, typer.Option(help="comma-separated profiles, or `all`")] = "",
    transport: Annotated[
        str, typer.Option(help="modbus_tcp, rtu_over_tcp, or mixed by gateway")
    ] = "modbus_tcp",
    loads: Annotated[
        str, typer.Option(help="shapes: a few households; standard: H0 with noise")
    ] = "shapes",
    seed: Annotated[int | None, typer.Option(help="of homes and faults; else the plan's, or 1")] = (
        None
    ),
    faults: Annotated[Path | None, typer.Option(help="plan of faults, see docs/street.md")] = None,
    feeders: Annotated[  # noqa: FBT002
        bool, typer.Option("--feeders", help="a meter at the head of each gateway's section")
    ] = False,
    baud: Annotated[
        int | None, typer.Option(min=300, help="serial line behind each gateway")
    ] = None,
    max_clients: Annotated[
        int | None, typer.Option(min=1, help="connections that a gateway bears")
    ] = None,
    relay_ms: Annotated[int, typer.Option(min=0, help="business ms until a contact has moved")] = 0,
    record: Annotated[  # noqa: FBT002
        bool, typer.Option("--record", help="keep every import register that was shown")
    ] = False,
) -> None:
    """Serve the street on loopback until SIGTERM or Ctrl-C."""
    trouble = load_plan(faults) if faults else FaultPlan()
    if seed is not None:
        trouble = trouble.model_copy(update={"seed": seed})
    plan = Plan(
        meters=meters,
        gateways=min(gateways, meters),
        port_base=port_base,
        profiles=_profiles(profiles, limiting=limiting),
        seed=trouble.seed,
        loads=_one_of(loads, "shapes", "standard"),  # type: ignore[arg-type]
        transport=_transport(transport),
        feeders=feeders,
        baud=baud,
        max_clients=max_clients,
        relay_ms=relay_ms,
    )
    _check_units(plan)
    _allow_sockets()
    built = build_street(plan, clock_from_environment(), state, journal=Journal(keeps_shown=record))
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_run(built, control_port, trouble))


def _profiles(words: str, *, limiting: bool) -> tuple[str, ...]:
    if not words:
        return (*PROFILES, LIMITING) if limiting else PROFILES
    known = shipped_profiles()
    chosen = known if words == ALL else tuple(word.strip() for word in words.split(","))
    for word in chosen:
        if word not in known:
            raise StackError(f"no profile {word}", advice=f"shipped are {', '.join(known)}")
    return chosen


def _transport(word: str) -> Transports:
    return _one_of(word, "modbus_tcp", "rtu_over_tcp", "mixed")  # type: ignore[return-value]


def _one_of(word: str, *known: str) -> str:
    if word not in known:
        raise StackError(f"{word!r} is none of {', '.join(known)}")
    return word


def _check_units(plan: Plan) -> None:
    """A Modbus address has one byte, of which 1 to 247 are units."""
    behind = -(-plan.meters // plan.gateways) + plan.feeders
    if behind > 247:
        raise StackError(
            f"{behind} meters behind one gateway are more than a line has addresses (247)",
            advice=f"--gateways {-(-plan.meters // 246)} or more",
        )


def _allow_sockets() -> None:
    """As many open files as this system lets a process have."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


async def _run(street: Street, control_port: int, trouble: FaultPlan) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    await street.start()
    street.trouble(trouble)
    await street.unrest.work(street.now_ms())
    config = uvicorn.Config(
        control_app(street), host="127.0.0.1", port=control_port, log_level="warning"
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    counting = asyncio.create_task(street.run(stopping))
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _stop, stopping, server)
    typer.echo(
        f"street: {len(street.meters)} meters behind {len(street.sockets)} gateways, "
        f"control on 127.0.0.1:{control_port}"
    )
    await asyncio.gather(serving, counting)
    await street.stop()


def _stop(stopping: asyncio.Event, server: Server) -> None:
    stopping.set()
    server.should_exit = True


if __name__ == "__main__":
    app()
