"""Both sinks in one process, on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import uvicorn

from npms_shared.web.server import Server
from npms_tools.sinks.mail import start_mail_sink
from npms_tools.sinks.store import Store
from npms_tools.sinks.web import sinks_app

HOST = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Sinks:
    """Running sinks, with the ports they listen on."""

    store: Store
    smtp_port: int
    http_port: int

    @property
    def url(self) -> str:
        return f"http://{HOST}:{self.http_port}"


@asynccontextmanager
async def running_sinks(
    *, api_key: str, smtp_port: int = 0, http_port: int = 0
) -> AsyncIterator[Sinks]:
    """The sinks, listening until the block ends; port 0 lets the system choose."""
    store = Store()
    mail = await start_mail_sink(store, host=HOST, port=smtp_port)
    config = uvicorn.Config(
        sinks_app(store, api_key=api_key), host=HOST, port=http_port, log_config=None
    )
    server = Server(config)
    serving = asyncio.create_task(server.serve())
    try:
        await _until_started(server, serving)
        ports = [s.sockets[0].getsockname()[1] for s in (mail, *server.servers)]
        yield Sinks(store, smtp_port=ports[0], http_port=ports[1])
    finally:
        server.should_exit = True
        mail.close()
        await asyncio.gather(serving, mail.wait_closed())


async def _until_started(server: Server, serving: asyncio.Task[None]) -> None:
    while not server.started:
        if serving.done():
            raise RuntimeError("the HTTP sink could not start; its port may be taken")
        await asyncio.sleep(0.01)
