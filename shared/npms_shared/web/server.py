"""The HTTP server of every process."""

from collections.abc import Iterator
from contextlib import contextmanager

import uvicorn


class Server(uvicorn.Server):
    """Uvicorn without its own signal handling: one place in a process decides how to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
