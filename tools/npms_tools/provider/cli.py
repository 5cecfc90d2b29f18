"""npms-paysim: the simulated payment provider as a process."""

import base64
import secrets as randomness
from typing import Annotated

import typer
import uvicorn

from npms_tools.provider.server import create_provider

app = typer.Typer(help="A simulated provider of online payments.", no_args_is_help=True)
HOST = Annotated[str, typer.Option(envvar="NPMS_PAYSIM_HOST", help="address to listen on")]
PORT = Annotated[int, typer.Option(envvar="NPMS_PAYSIM_PORT", help="port to listen on")]
SECRET = Annotated[
    str, typer.Option(envvar="NPMS_PAYSIM_WEBHOOK_SECRET", help="`whsec_…` that signs webhooks")
]
PUBLIC = Annotated[str, typer.Option(envvar="NPMS_PAYSIM_PUBLIC_URL", help="where payers reach it")]


@app.command()
def run(
    secret: SECRET, host: HOST = "127.0.0.1", port: PORT = 8090, public_url: PUBLIC = ""
) -> None:
    """Serve until SIGTERM."""
    provider = create_provider(secret=secret, public_url=public_url or f"http://127.0.0.1:{port}")
    uvicorn.run(provider, host=host, port=port, log_level="warning", access_log=False)


@app.command()
def new_secret() -> None:
    """Print a fresh secret for the two sides to share."""
    typer.echo(make_secret())


def make_secret() -> str:
    return "whsec_" + base64.b64encode(randomness.token_bytes(32)).decode()


if __name__ == "__main__":
    app()
