"""The loops that speak to meters are where transactions begin: a handler's, of its own."""

from collections.abc import Awaitable, Callable
from typing import Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context

P = ParamSpec("P")
T = TypeVar("T")


async def in_transaction(
    context: Context,
    handler: Callable[Concatenate[AsyncConnection, Context, P], Awaitable[T]],
    *args: P.args,
    **kwargs: P.kwargs,
) -> T:
    """What the handler returns, once it has committed."""
    async with context.database.transaction() as conn:
        return await handler(conn, context, *args, **kwargs)
