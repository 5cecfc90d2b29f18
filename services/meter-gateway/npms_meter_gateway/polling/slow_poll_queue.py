"""Slow polls of a line, one meter after the other, beside its polls."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable

import structlog

from npms_meter_gateway.drivers.line.errors import LinkFault
from npms_meter_gateway.polling.hooks import SlowPollResult

log = structlog.get_logger()


class SlowPollQueue:
    """Calls `slow_poll` for each result that is put; has a task only while there is one."""

    def __init__(self, slow_poll: Callable[[SlowPollResult], Awaitable[None]]) -> None:
        self._slow_poll = slow_poll
        self._waiting: deque[SlowPollResult] = deque()
        self._running: asyncio.Task[None] | None = None

    def put(self, result: SlowPollResult) -> None:
        """Let it have its turn."""
        self._waiting.append(result)
        if self._running is None or self._running.done():
            self._running = asyncio.create_task(self._run())

    def cancel(self) -> None:
        """Break off the one that is under way."""
        if self._running is not None:
            self._running.cancel()

    async def _run(self) -> None:
        while self._waiting:
            result = self._waiting.popleft()
            serial = result.meter.serial
            try:
                await self._slow_poll(result)
            except LinkFault as fault:
                log.info("slow_poll_broken_off", serial=serial, fault=str(fault))
            except Exception:
                log.exception("slow_poll_failed", serial=serial)
