"""Parked messages taken again, when a person says so."""

from collections.abc import Awaitable, Callable

from npms_meter_gateway.handlers.take_messages import MessageDesk
from npms_meter_gateway.intake.payload import read_message
from npms_shared.messaging.parked import ParkedMessage


def again(desk: MessageDesk, prefix: str) -> Callable[[ParkedMessage], Awaitable[None]]:
    """For a parked message, whose type is the topic it came by."""

    async def take(parked: ParkedMessage) -> None:
        await desk.take_again(read_message(prefix, parked.type, parked.body))

    return take
