"""A TCP proxy that can cut, stall, split, delay and reset, to stand between a service and what it
needs.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Sequence
from contextlib import suppress

Manner = Callable[[bytes], Sequence[bytes | float]]
"""What becomes of bytes on their way back: pieces to send, and seconds to pause between them."""


def split_at(position: int, pause_s: float = 0.02) -> Manner:
    """Everything comes in two pieces, the second after a pause."""
    return lambda data: [data[:position], pause_s, data[position:]]


def delayed(pause_s: float) -> Manner:
    return lambda data: [pause_s, data]


class Proxy:
    """`manner` shapes what flows back from the target; by default it is passed on as it comes."""

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._server: asyncio.Server | None = None
        self._pairs: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self.manner: Manner | None = None
        self.port = 0

    async def start(self) -> "Proxy":
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", self.port)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            there, back = await asyncio.open_connection(*self._target)
        except OSError:
            writer.close()
            return
        self._pairs |= {writer, back}
        for source, sink, is_back in ((reader, back, False), (there, writer, True)):
            task = asyncio.create_task(self._pump(source, sink, is_back=is_back))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, is_back: bool
    ) -> None:
        with suppress(OSError, asyncio.CancelledError):
            while data := await source.read(65536):
                await self._flowing.wait()
                manner = self.manner if is_back else None
                for piece in manner(data) if manner else [data]:
                    if isinstance(piece, float):
                        await asyncio.sleep(piece)
                    else:
                        sink.write(piece)
                        await sink.drain()
        sink.close()

    def cut(self) -> None:
        """Break every connection at once; new ones are accepted."""
        for writer in self._pairs:
            writer.transport.abort()
        self._pairs.clear()

    def reset(self) -> None:
        """Break them with a reset (RST) instead of an orderly end."""
        for writer in self._pairs:
            sock = writer.get_extra_info("socket")
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.cut()

    def stall(self) -> None:
        """Keep connections open and let nothing through."""
        self._flowing.clear()

    def flow(self) -> None:
        self._flowing.set()

    async def stop(self) -> None:
        """Refuse new connections and break the open ones."""
        if self._server is not None:
            self._server.close()
        self.flow()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
