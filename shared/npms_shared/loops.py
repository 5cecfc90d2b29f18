"""Background work that runs until an event is set, and waits no longer than that."""

import asyncio
from collections.abc import Awaitable, Callable

Loop = Callable[[asyncio.Event], Awaitable[None]]
"""A service's own background work: returns soon after the event is set."""


async def wait_or_stop(stopping: asyncio.Event, seconds: float) -> bool:
    """Sleep, but not past the stop; True when stopping."""
    try:
        async with asyncio.timeout(seconds):
            await stopping.wait()
    except TimeoutError:
        return False
    return True
