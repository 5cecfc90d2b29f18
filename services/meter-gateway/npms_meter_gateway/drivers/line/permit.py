"""Leave to speak: asked for before every request, and before every attempt to connect."""

import asyncio
from collections.abc import Callable

from npms_meter_gateway.drivers.line.errors import Lapsed


class ConnectRate:
    """Gives turns in the order they are asked for, at most `per_s` a second.

    A turn is counted from when the one before was really taken: after a stall there is no burst.
    """

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s
        self._free_at = 0.0
        self._asking = asyncio.Lock()

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            await asyncio.sleep(max(self._free_at - loop.time(), 0))
            self._free_at = loop.time() + self._step_s


class Permit:
    """Whether this process may speak to gateways, and how fast it may open connections.

    One permit is shared by all lines of a process. `holds` is asked at the last moment before
    bytes leave, so that a process that was frozen meanwhile sends nothing when it wakes.
    """

    def __init__(
        self, holds: Callable[[], bool] = lambda: True, connects_per_s: float | None = None
    ) -> None:
        self._holds = holds
        self._rate = ConnectRate(connects_per_s) if connects_per_s else None

    def check(self) -> None:
        """Raises Lapsed when somebody else may be speaking by now."""
        if not self._holds():
            raise Lapsed("the lease of this gateway has run out")

    async def connect(self) -> None:
        """Wait for the turn to open a connection; raises Lapsed."""
        if self._rate is not None:
            await self._rate.turn()
        self.check()
