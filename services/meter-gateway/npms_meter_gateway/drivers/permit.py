"""Leave to speak: asked for before every request, and before every attempt to connect."""

import asyncio
from collections.abc import Callable

from npms_meter_gateway.drivers.errors import Lapsed


class Pace:
    """Gives turns in the order they are asked for, at most `per_s` a second."""

    def __init__(self, per_s: float) -> None:
        self._step_s = 1 / per_s
        self._free_at = 0.0

    async def turn(self) -> None:
        """Return when it is the caller's turn."""
        now = asyncio.get_running_loop().time()
        at = max(self._free_at, now)
        self._free_at = at + self._step_s
        if at > now:
            await asyncio.sleep(at - now)


class Permit:
    """Whether this process may speak to gateways, and how fast it may open connections.

    One permit is shared by all lines of a process. `holds` is asked at the last moment before
    bytes leave, so that a process that was frozen meanwhile sends nothing when it wakes.
    """

    def __init__(
        self, holds: Callable[[], bool] = lambda: True, connects_per_s: float | None = None
    ) -> None:
        self._holds = holds
        self._pace = Pace(connects_per_s) if connects_per_s else None

    def check(self) -> None:
        """Raises Lapsed when somebody else may be speaking by now."""
        if not self._holds():
            raise Lapsed("the lease of this gateway has run out")

    async def connect(self) -> None:
        """Wait for the turn to open a connection; raises Lapsed."""
        if self._pace is not None:
            await self._pace.turn()
        self.check()
