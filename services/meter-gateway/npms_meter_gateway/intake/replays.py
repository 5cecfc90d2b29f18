"""Parked messages taken again, when a person says so."""

from collections.abc import Awaitable, Callable

from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_messages import take_again
from npms_meter_gateway.intake.payload import read_message
from npms_shared.messaging.parked import ParkedMessage


def again(recorder: ReadingRecorder, prefix: str) -> Callable[[ParkedMessage], Awaitable[None]]:
    """For a parked message, whose type is the topic it came by."""

    async def take(parked: ParkedMessage) -> None:
        await take_again(recorder, read_message(prefix, parked.type, parked.body))

    return take
