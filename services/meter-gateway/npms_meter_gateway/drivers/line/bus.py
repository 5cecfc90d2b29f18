"""One gateway address: a single connection, worked by priority.

There is no task of its own: who asks puts a request in, and each answer sends the next, so that an
answer costs one change of task. Only opening a connection takes a task.
"""

import asyncio
import random
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from npms_meter_gateway.domain.breaker import Breaker, BreakerPolicy
from npms_meter_gateway.domain.gateway import Gateway
from npms_meter_gateway.drivers.driver import Priority
from npms_meter_gateway.drivers.line.address_check import AddressCheck
from npms_meter_gateway.drivers.line.connection import Connection, Exchange, Words
from npms_meter_gateway.drivers.line.errors import (
    BadAnswer,
    Lapsed,
    LinkFault,
    NotConnected,
    Refused,
)
from npms_meter_gateway.drivers.line.framing import Framing, LineRequest
from npms_meter_gateway.drivers.line.line_counts import LineCounts
from npms_meter_gateway.drivers.line.opening import connect
from npms_meter_gateway.drivers.line.permit import Permit
from npms_meter_gateway.drivers.line.request_queue import RequestQueue
from npms_meter_gateway.drivers.line.silence import Silence

RECONNECT = BreakerPolicy(trip_after=1, first_pause_s=1.0, longest_pause_s=60.0)
BUSY_RETRIES = 2
BUSY_PAUSE_S = 0.1
LAST_TRANSACTION = 0xFFFF

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LineOptions:
    """How lines are opened. `permit` and `addresses` are shared by all lines of a process."""

    permit: Permit = field(default_factory=Permit)
    addresses: AddressCheck = field(default_factory=AddressCheck)
    connect_timeout_s: float = 3.0
    reconnect: BreakerPolicy = RECONNECT
    jitter: Callable[[], float] = random.random


class Bus:
    """Asks units behind one gateway, urgent requests first, `gateway.depth` of them at a time.

    While the address takes no connection, or closes it before anything was sent, requests fail at
    once with NotConnected, and one attempt is made after each jittered pause. After a request
    without an answer nothing more is sent on that connection: it is opened anew, or, on a serial
    device, drained. Where frames bear no transaction (RTU) the line is then kept quiet for the
    gateway's late window, as after every opening, and what comes meanwhile is dropped. Between an
    answer and the next request it is quiet for the gateway's pause, longer where something comes
    meanwhile: that is an answer repeated.
    """

    def __init__(
        self, gateway: Gateway, framing: Framing, options: LineOptions | None = None
    ) -> None:
        self.gateway, self._framing = gateway, framing
        self._options = options or LineOptions()
        self._permit = self._options.permit
        self.counts = LineCounts()
        self._breaker = Breaker(self._options.reconnect)
        self._why_down = NotConnected(f"{gateway.name} did not answer")
        self._depth = min(gateway.depth, framing.transactions)
        self._is_unnumbered = framing.transactions == 1
        self._late_window_s = gateway.late_window_ms / 1000
        self._queue = RequestQueue(gateway.name)
        self._waiting = self._queue.waiting
        self._transaction = random.randrange(LAST_TRANSACTION)  # noqa: S311 - no secret
        self._connection: Connection | None = None
        self._opening: asyncio.Task[None] | None = None
        self._silence = Silence(self._go_on, self._count_stray, gateway.pause_s)
        self._busy_since = 0.0
        self._is_closed = False

    @property
    def is_down(self) -> bool:
        """Whether the last attempt to connect failed."""
        return self._breaker.is_open

    async def ask(
        self, unit: int, request: LineRequest, *, timeout_s: float, priority: Priority
    ) -> Words:
        """The registers or coils asked for, or nothing for a write; raises a LinkFault.

        `timeout_s` runs from the moment the request is sent, not while it waits for its turn: that
        ends with Overdue. A write is never repeated here: read back first.
        """
        answer: asyncio.Future[Words] = asyncio.get_running_loop().create_future()
        exchange = Exchange(unit, request, timeout_s, priority, answer)
        connection = self._connection
        if connection is None or not self._is_free(connection):
            self._put(exchange)
        else:
            self._send(connection, exchange)
        return await answer

    def keep_gap(self, gap_ms: int) -> None:
        """Be silent at least so long after each answer: the slowest meter on the line sets it."""
        self._silence.pause_s = max(self._silence.pause_s, gap_ms / 1000)

    async def close(self) -> None:
        """Stop; requests that still wait fail with NotConnected."""
        self._is_closed = True
        if self._opening is not None:
            self._opening.cancel()
            with suppress(asyncio.CancelledError):
                await self._opening
        self._silence.cancel()
        self._queue.cancel()
        if self._connection is not None:
            self._connection.close()
        self._queue.fail(NotConnected("closed"))

    def _put(self, exchange: Exchange) -> None:
        self._queue.put(exchange)
        self._go_on()

    def _is_free(self, connection: Connection) -> bool:
        """Whether a request need not wait at all: the usual case on a line that keeps up."""
        return not (
            self._waiting
            or connection.is_tainted
            or self._silence.is_kept
            or len(connection.pending) >= self._depth
        )

    def _go_on(self) -> None:
        """Send what may be sent now. Called whenever that may have changed."""
        while self._waiting:
            connection = self._connection
            if connection is None or connection.is_tainted:
                self._renew()
                return
            if self._silence.is_kept or len(connection.pending) >= self._depth:
                return
            exchange = self._queue.take()
            if not exchange.answer.done():
                self._send(connection, exchange)

    def _send(self, connection: Connection, exchange: Exchange) -> None:
        now = connection.loop.time()
        if not connection.pending:
            self._busy_since = now
        if not connection.is_used:
            self._breaker.succeed()
        try:
            self._permit.check()
            connection.send(self._next_transaction(), exchange, now)
        except Lapsed as fault:
            exchange.settle(None, fault)
        except Exception as fault:
            log.exception("request_not_sent", gateway=self.gateway.name)
            exchange.settle(None, BadAnswer(repr(fault), "not_sent"))

    def _next_transaction(self) -> int:
        """Counted on over all connections, so that none meets an answer to its predecessor."""
        if self._is_unnumbered:
            return 0
        self._transaction = self._transaction % LAST_TRANSACTION + 1
        return self._transaction

    def _exchange_ended(
        self, exchange: Exchange, words: Words | None, fault: LinkFault | None
    ) -> None:
        """An exchange has ended; with it the line is free for the next."""
        connection = self._connection
        assert connection is not None
        now = connection.loop.time()
        self.counts.count(now - self._busy_since, fault)
        self._busy_since = now
        if self._silence.pause_s:
            self._keep_silence(self._silence.pause_s)
        if fault is None or not self._is_to_repeat(exchange, fault):
            exchange.settle(words, fault)
        if self._is_unnumbered and connection.is_tainted:
            self._renew()
        if self._waiting:
            self._go_on()

    def _is_to_repeat(self, exchange: Exchange, fault: LinkFault) -> bool:
        """A busy meter has done nothing yet: it is asked again after a pause, others meanwhile."""
        if not isinstance(fault, Refused) or not fault.is_busy or exchange.tries == BUSY_RETRIES:
            return False
        exchange.tries += 1
        asyncio.get_running_loop().call_later(BUSY_PAUSE_S, self._put_again, exchange)
        return True

    def _put_again(self, exchange: Exchange) -> None:
        if self._is_closed:
            exchange.settle(None, NotConnected("closed"))
        else:
            self._put(exchange)

    def _keep_silence(self, seconds: float) -> None:
        self._silence.keep(seconds, prolonged_s=self._late_window_s)

    def _count_stray(self) -> int:
        return self._connection.stray_bytes if self._connection else 0

    def _renew(self) -> None:
        """Bring about a connection on which nothing late can come; then go on."""
        connection = self._connection
        if self._opening is not None or (connection is not None and connection.pending):
            return
        if connection is not None and connection.is_open:
            if self.gateway.transport == "serial":
                connection.clear()
                self._keep_silence(self._late_window_s)
                return
            connection.close()
        if self._is_closed:
            self._queue.fail(NotConnected("closed"))
        elif self._breaker.allows(asyncio.get_running_loop().time()):
            self._opening = asyncio.create_task(self._open(), name=f"open {self.gateway.name}")
        else:
            self._queue.fail(self._down("; waiting to try again"))

    async def _open(self) -> None:
        options = self._options
        try:
            await self._permit.connect()
            self._connection = await connect(
                self.gateway, self._framed, options.connect_timeout_s, options.addresses
            )
            if not self._connection.is_open:
                raise self._closed_unused()
        except Lapsed as fault:
            self._queue.fail(fault)
            return
        except Exception as fault:  # noqa: BLE001 - whatever it is, who waits has to be told
            self._not_opened(fault)
            return
        finally:
            self._opening = None
        if self._is_unnumbered:
            self._keep_silence(self._late_window_s)
        self._go_on()

    def _framed(self) -> Connection:
        owed = self._connection.owed if self._connection else ()
        return Connection(self._framing, self._exchange_ended, lost=self._lost, owed=owed)

    def _closed_unused(self) -> NotConnected:
        return NotConnected(f"{self.gateway.name} closed before anything was sent")

    def _lost(self, connection: Connection) -> None:
        """What was closed before anything was sent never was open: who waits has to be told."""
        if connection is self._connection and self._opening is None:
            self._not_opened(self._closed_unused())

    def _not_opened(self, fault: Exception) -> None:
        self._breaker.fail(asyncio.get_running_loop().time(), self._options.jitter())
        self._why_down = fault if isinstance(fault, NotConnected) else NotConnected(repr(fault))
        self._queue.fail(self._down())

    def _down(self, further: str = "") -> NotConnected:
        return type(self._why_down)(f"{self._why_down}{further}", self._breaker.closed_to)
