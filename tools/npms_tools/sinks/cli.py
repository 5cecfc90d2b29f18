"""`npms sinks`: runs the mail and SMS sinks until they are stopped."""

import asyncio
import signal
from typing import Annotated

import typer

from npms_tools.sinks.server import HOST, running_sinks

app = typer.Typer(help="A mail server and an SMS operator that keep what they are given.")


@app.callback(invoke_without_command=True)
def sinks(
    api_key: Annotated[
        str,
        typer.Option(envvar="NPMS_SINKS_API_KEY", help="what senders of SMS must show"),
    ],
    smtp_port: Annotated[int, typer.Option(help="0 lets the system choose")] = 15025,
    http_port: Annotated[int, typer.Option(help="0 lets the system choose")] = 15080,
) -> None:
    """Serve both on loopback until SIGTERM or Ctrl-C."""
    asyncio.run(_run(api_key, smtp_port=smtp_port, http_port=http_port))


async def _run(api_key: str, *, smtp_port: int, http_port: int) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with running_sinks(api_key=api_key, smtp_port=smtp_port, http_port=http_port) as sinks:
        typer.echo(f"sinks: mail on {HOST}:{sinks.smtp_port}, SMS and what arrived on {sinks.url}")
        await stopping.wait()


if __name__ == "__main__":
    app()
