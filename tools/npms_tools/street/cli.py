"""`npms street`: runs the simulated street until it is stopped."""

import asyncio
import signal
from pathlib import Path
from typing import Annotated

import typer
import uvicorn

from npms_shared.clock import clock_from_environment
from npms_shared.web.server import Server
from npms_tools.street.control import control_app
from npms_tools.street.street import LIMITING, PROFILES, Plan, Street, build_street

app = typer.Typer(help="The simulated street: meters on real Modbus/TCP sockets.")


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
) -> None:
    """Serve the street on loopback until SIGTERM or Ctrl-C."""
    profiles = (*PROFILES, LIMITING) if limiting else PROFILES
    plan = Plan(meters=meters, gateways=gateways, port_base=port_base, profiles=profiles)
    asyncio.run(_run(build_street(plan, clock_from_environment(), state), control_port))


async def _run(street: Street, control_port: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    await street.start()
    config = uvicorn.Config(
        control_app(street), host="127.0.0.1", port=control_port, log_level="warning"
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    counting = asyncio.create_task(street.run(stopping))
    for name in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(name, _stop, stopping, server)
    typer.echo(f"street: {len(street.meters)} meters, control on 127.0.0.1:{control_port}")
    await asyncio.gather(serving, counting)
    await street.stop()


def _stop(stopping: asyncio.Event, server: Server) -> None:
    stopping.set()
    server.should_exit = True


if __name__ == "__main__":
    app()
