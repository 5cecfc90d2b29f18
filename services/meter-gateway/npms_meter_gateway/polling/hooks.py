"""Where a line delivers what it reads and learns."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from fractions import Fraction

from npms_meter_gateway.handlers.note_sights import MeterSight
from npms_meter_gateway.polling.meter import Meter


@dataclass(frozen=True, slots=True)
class SlowPollResult:
    """What a slow read of a meter brought: exact values in the unit of their names.

    `is_first` tells that it is the first since this process polls it, or since its silence ended.
    """

    meter: Meter
    seen_at: datetime
    values: Mapping[str, Fraction]
    is_first: bool


async def _nothing(*_: object) -> None:
    """Where nobody listens."""


@dataclass(frozen=True, slots=True)
class Hooks:
    """Where a line delivers: sights of meters, changes of reach, points a meter does not serve.

    `gateway_lost` is called instead of `link_changed` when several meters fell silent as one.
    `slow_poll` is called after each slow read, for one meter of the line at a time and beside
    its polls; it may ask the meter further things with Priority.SLOW, and raise a LinkFault.
    `returned` is called when a meter answers for the first time since this process polls it or
    since it was silent, before that answer is delivered: what it recorded meanwhile comes first.
    A LinkFault from there takes the answer back: the poll counts as missed.
    `delivered` is called after each sight was delivered.
    """

    saw: Callable[[MeterSight], Awaitable[None]]
    link_changed: Callable[[Meter, bool, str], Awaitable[None]]
    refused: Callable[[Meter, str], Awaitable[None]]
    gateway_lost: Callable[[Sequence[Meter], str], Awaitable[None]]
    slow_poll: Callable[[SlowPollResult], Awaitable[None]] = _nothing
    returned: Callable[[Meter], Awaitable[None]] = _nothing
    delivered: Callable[[Meter, MeterSight], Awaitable[None]] = _nothing
