"""Parked messages taken again, when a person says so."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import Row

from npms_meter_gateway.handlers.take_messages import MessageDesk
from npms_meter_gateway.intake.payload import read_message


def again(desk: MessageDesk, prefix: str) -> Callable[[Row[Any]], Awaitable[None]]:
    """For a parked row, whose type is the topic it came by."""

    async def take(row: Row[Any]) -> None:
        await desk.take_again(read_message(prefix, row.type, row.body))

    return take
