"""A server on a loopback socket that answers with JSON as a test says, and keeps what it heard."""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Heard:
    """One request; `path` without its query."""

    method: str
    path: str
    query: dict[str, str]
    token: str
    body: Any


Answer = tuple[int, Any]


@dataclass
class Answering:
    url: str
    heard: list[Heard] = field(default_factory=list)


@contextmanager
def answering(answer: Callable[[Heard], Answer]) -> Iterator[Answering]:
    """Serves until the block ends; `answer` runs in the server's thread."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler)
    told = Answering(f"http://127.0.0.1:{server.server_port}")
    server.RequestHandlerClass = _handler(told, answer)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield told
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def _handler(told: Answering, answer: Callable[[Heard], Answer]) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            length = int(self.headers.get("Content-Length", 0))
            place = urlsplit(self.path)
            heard = Heard(
                self.command,
                place.path,
                dict(parse_qsl(place.query)),
                self.headers.get("Authorization", "").removeprefix("Bearer "),
                json.loads(self.rfile.read(length)) if length else None,
            )
            told.heard.append(heard)
            status, body = answer(heard)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.end_headers()
            self.wfile.write(json.dumps(body).encode())

        do_POST = do_GET  # noqa: N815 - the server asks for this name

        def log_message(self, *_: object) -> None:
            pass

    return Handler
