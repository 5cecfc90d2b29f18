"""The HTTP servers of every process."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import h11
import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

HEADER_TIMEOUT_S = 10.0
LARGEST_HEADERS = 32 * 1024
GRACE_S = 10


class PatientProtocol(H11Protocol):
    """Waits for a request's headers only so long, from the connection or the last answer on.

    uvicorn itself waits for ever once a first byte has come.
    """

    header_timeout_s = HEADER_TIMEOUT_S

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._headers_due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._expect_headers()

    def connection_lost(self, exc: Exception | None) -> None:
        self._cancel()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        super().handle_events()
        if self.conn.their_state is not h11.IDLE:
            self._cancel()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.conn.their_state is h11.IDLE:
            self._expect_headers()

    def _expect_headers(self) -> None:
        self._cancel()
        self._headers_due = self.loop.call_later(self.header_timeout_s, self._give_up)

    def _give_up(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _cancel(self) -> None:
        if self._headers_due is not None:
            self._headers_due.cancel()
            self._headers_due = None


class Server(uvicorn.Server):
    """Uvicorn without its own signal handling: one place in a process decides how to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


def make_server(
    app: Any,
    *,
    host: str,
    port: int,
    header_timeout_s: float = HEADER_TIMEOUT_S,
    trusted_proxies: str = "",
) -> Server:
    """`trusted_proxies`: whose X-Forwarded-For is believed, addresses and networks by commas."""
    protocol = type("Protocol", (PatientProtocol,), {"header_timeout_s": header_timeout_s})
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=protocol,
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=bool(trusted_proxies),
            forwarded_allow_ips=trusted_proxies,
            h11_max_incomplete_event_size=LARGEST_HEADERS,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
