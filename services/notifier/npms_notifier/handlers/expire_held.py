"""Notices that were held for an address in vain come to an end."""

import asyncio

from npms_notifier.handlers.context import Context
from npms_notifier.storage import deliveries
from npms_shared.loops import wait_or_stop

AT_ONCE = 500
PAUSE_S = 20.0


async def expire_held_forever(context: Context, stopping: asyncio.Event) -> None:
    """Until stopped; while the database cannot, it waits."""
    while not stopping.is_set():
        if await context.database.outlast(lambda: expire_held(context)) < AT_ONCE:
            await wait_or_stop(stopping, PAUSE_S)


async def expire_held(context: Context) -> int:
    """Returns how many came to an end."""
    clock = context.clock
    async with context.database.transaction() as conn:
        return await deliveries.expire_held(
            conn, at=clock.wall_now(), settled_at=clock.now(), most=AT_ONCE
        )
