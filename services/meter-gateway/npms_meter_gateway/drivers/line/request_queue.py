"""Requests that wait for their turn on a line."""

import asyncio
from heapq import heapify, heappop, heappush
from itertools import count

from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.connection import Exchange
from npms_meter_gateway.drivers.line.errors import LinkFault, Overdue

WAITS_S, URGENT_WAITS_S = 300.0, 60.0
"""How long a request waits for its turn: one that a person or a relay waits for is stale sooner."""
SWEEP_EVERY_S = 1.0


class RequestQueue:
    """Urgent ones first, then in the order they came. Whatever the line does, nobody waits for
    ever: what had no turn in time ends with Overdue.

    `waiting` is the same list for ever, so that whoever asks whether anything waits pays no call.
    """

    def __init__(self, line_name: str) -> None:
        self._line_name = line_name
        self.waiting: list[tuple[int, int, Exchange]] = []
        self._numbers = count()
        self._sweep: asyncio.Handle | None = None

    def put(self, exchange: Exchange) -> None:
        """Let it wait."""
        loop = asyncio.get_running_loop()
        is_urgent = exchange.priority <= Priority.ON_DEMAND
        exchange.deadline = loop.time() + (URGENT_WAITS_S if is_urgent else WAITS_S)
        heappush(self.waiting, (exchange.priority, next(self._numbers), exchange))
        if self._sweep is None:
            self._sweep = loop.call_later(SWEEP_EVERY_S, self._give_up_overdue)

    def take(self) -> Exchange:
        """The next one; IndexError where none waits."""
        return heappop(self.waiting)[2]

    def fail(self, fault: LinkFault) -> None:
        """All that waits ends with this."""
        ended = self.waiting.copy()
        self.waiting.clear()
        for _, _, exchange in ended:
            exchange.settle(None, fault)

    def cancel(self) -> None:
        """Give up no more."""
        if self._sweep is not None:
            self._sweep.cancel()

    def _give_up_overdue(self) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        overdue = [entry for entry in self.waiting if entry[2].deadline <= now]
        self.waiting[:] = [entry for entry in self.waiting if entry[2].deadline > now]
        heapify(self.waiting)
        for _, _, exchange in overdue:
            exchange.settle(None, Overdue(f"{self._line_name} had no turn for it"))
        self._sweep = None
        if self.waiting:
            self._sweep = loop.call_later(SWEEP_EVERY_S, self._give_up_overdue)
