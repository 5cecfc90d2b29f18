"""Silence on a line, in which whatever comes is dropped."""

import asyncio
from collections.abc import Callable

from npms_meter_gateway.drivers.line.connection import POLLS


class Silence:
    """Holds requests back for a time, and calls `over` when it ends.

    Where `stray_bytes` shows that something came meanwhile it is prolonged by `pause_s`, though not
    for ever: a meter that repeats its answer may do so more than once.
    """

    def __init__(
        self, over: Callable[[], None], stray_bytes: Callable[[], int], pause_s: float
    ) -> None:
        self._over, self._stray_bytes, self.pause_s = over, stray_bytes, pause_s
        self._until = self._at_most_until = 0.0
        self._stray = 0
        self._wake: asyncio.Handle | None = None
        self.is_kept = False

    def keep(self, seconds: float, *, prolonged_s: float) -> None:
        """From now on for so long, or until a silence ends that is kept already."""
        loop = asyncio.get_running_loop()
        self._until = max(self._until, loop.time() + seconds)
        self._at_most_until = self._until + prolonged_s
        self._stray = self._stray_bytes()
        if not self.is_kept:
            self.is_kept = True
            self._wake = loop.call_at(self._until, self._woken, POLLS)

    def cancel(self) -> None:
        """`over` is not called any more."""
        if self._wake is not None:
            self._wake.cancel()

    def _woken(self, polls: int) -> None:
        """Go on, but not before the loop has looked at the line: a process that stood still for a
        while has to drop what came meanwhile, not to take it for the next answer.
        """
        loop = asyncio.get_running_loop()
        if loop.time() < self._until:
            self._wake = loop.call_at(self._until, self._woken, POLLS)
        elif polls:
            self._wake = loop.call_soon(self._woken, polls - 1)
        elif self._is_broken(loop.time()):
            self._wake = loop.call_at(self._until, self._woken, POLLS)
        else:
            self._wake, self.is_kept = None, False
            self._over()

    def _is_broken(self, now: float) -> bool:
        before, self._stray = self._stray, self._stray_bytes()
        if self._stray == before or now >= self._at_most_until:
            return False
        self._until = now + self.pause_s
        return True
