"""Waiting for the thing itself, never for a length of time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")


async def until(
    probe: Callable[[], Awaitable[T]],
    *,
    within_s: float = 20.0,
    every_s: float = 0.03,
    what: str = "",
) -> T:
    """The first truthy value the probe gives; an AssertionError that says what was last seen."""
    deadline = time.monotonic() + within_s
    while True:
        value = await probe()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(
                f"did not happen within {within_s} s: {what or probe}; saw {value!r}"
            )
        await asyncio.sleep(every_s)
