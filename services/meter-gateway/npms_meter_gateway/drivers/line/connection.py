"""One connection to a gateway: sends requests, holds every answer against what was asked.

It judges and reports, and decides nothing: what to send next, and when to open another one, is the
bus's. Answers are matched by transaction where the framing has one; otherwise only one request may
be in flight.
"""

import asyncio
from collections.abc import Callable, Iterable
from typing import cast

from npms_meter_gateway.drivers.line.errors import (
    BadAnswer,
    LinkFault,
    NoAnswer,
    NotConnected,
    PeerClosed,
    Refused,
)
from npms_meter_gateway.drivers.line.framing import Frame, Framing, LineRequest

Words = tuple[int, ...]

MOST_OWED = 64
POLLS = 2
"""Turns of the loop after which it has looked at the sockets at least once, whatever its order."""


class Exchange:
    """A request and what became of it. `deadline` is loop time, set when it is sent."""

    __slots__ = ("answer", "deadline", "priority", "request", "timeout_s", "tries", "unit")

    def __init__(
        self,
        unit: int,
        request: LineRequest,
        timeout_s: float,
        priority: int,
        answer: asyncio.Future[Words],
    ) -> None:
        self.unit, self.request, self.timeout_s = unit, request, timeout_s
        self.priority, self.answer = priority, answer
        self.deadline = 0.0
        self.tries = 0

    def settle(self, words: Words | None, fault: LinkFault | None) -> None:
        """Tell who asked, if anybody still waits."""
        if self.answer.done():
            return
        if fault is not None:
            self.answer.set_exception(fault)
        elif words is not None:
            self.answer.set_result(words)


Ended = Callable[[Exchange, Words | None, LinkFault | None], None]
Lost = Callable[["Connection"], None]


def _nothing(_connection: "Connection") -> None:
    """Nobody needs to know."""


class Connection(asyncio.Protocol):
    """Tells `ended` of each exchange exactly once, and `lost` when the peer closes it unused.

    `owed` are transactions that the connections before have left without an answer: a gateway may
    deliver those here, and they are dropped.

    After any fault but a Modbus exception it is tainted: a late or foreign answer may still come,
    so nothing is to be sent on it any more. After an answer that does not fit it closes itself.
    """

    def __init__(
        self,
        framing: Framing,
        ended: Ended,
        *,
        lost: Lost = _nothing,
        owed: Iterable[int] = (),
    ) -> None:
        self._framing, self._exchange_ended, self._lost = framing, ended, lost
        self.loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self.made: asyncio.Future[None] = self.loop.create_future()
        self.is_tainted = self.is_used = False
        self.stray_bytes = 0
        self.pending: dict[int, Exchange] = {}
        """What is in flight, by transaction."""
        self._given_up = dict.fromkeys(owed)
        self._rest = b""
        self._timer: asyncio.Handle | None = None
        self._timer_at = 0.0

    @property
    def is_open(self) -> bool:
        return self._transport is not None

    @property
    def owed(self) -> list[int]:
        """What was asked on it, or on those before, and never answered: the newest of it."""
        return list(self._given_up)[-MOST_OWED:]

    def send(self, transaction: int, exchange: Exchange, now: float) -> None:
        """Put it on the way; its time begins now. Raises for what no frame can hold."""
        assert self._transport is not None
        frame = self._framing.wrap(transaction, exchange.unit, exchange.request.encode())
        exchange.deadline = deadline = now + exchange.timeout_s
        self.pending[transaction] = exchange
        self.is_used = True
        if self._timer is None or deadline < self._timer_at:
            self._watch(deadline)
        self._transport.write(frame)

    def clear(self) -> None:
        """Forget the taint: whoever calls has waited until nothing late can come any more."""
        self.is_tainted, self._rest = False, b""

    def close(self, fault: LinkFault | None = None) -> None:
        """Drop the connection at once; what is in flight ends with the fault."""
        transport, self._transport = self._transport, None
        self.is_tainted = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if transport is not None:
            transport.abort()
        self._end(fault or NotConnected("closed"))

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by inheritance
        if not self.made.done():
            self.made.set_result(None)

    def connection_lost(self, _exc: Exception | None) -> None:
        was_open = self.is_open
        self.close(PeerClosed("the peer closed the connection"))
        if was_open and not self.is_used:
            self._lost(self)

    def data_received(self, data: bytes) -> None:
        """Bytes nobody asked for belong to nobody: they are dropped."""
        if self._rest:
            data = self._rest + data
        try:
            data = self._take_all(data)
        except BadAnswer as fault:
            self.close(fault)
            return
        if self.pending:
            self._rest = data
        else:
            self.stray_bytes += len(data)
            self._rest = b""

    def _take_all(self, data: bytes) -> bytes:
        """What is left of it: the begin of an answer, or nobody's."""
        frame = self._framing.first(data) if self.pending else None
        while frame is not None and self.pending:
            transaction, unit, pdu, size = frame
            data = data[size:]
            frame = self._following(transaction, data) if data else None
            self._take(transaction, unit, pdu)
        return data

    def _following(self, transaction: int, data: bytes) -> Frame | None:
        """The answer after the one to a transaction. One that was cut short is filled up by the
        begin of the next: then no answer that is awaited begins here.
        """
        try:
            frame = self._framing.first(data)
        except BadAnswer:
            raise BadAnswer("what follows the answer is none", "surplus") from None
        if frame is None:
            others = {*self.pending, *self._given_up} - {transaction}
            fits = self._framing.may_begin(data, others)
        else:
            fits = frame[0] != transaction and (
                frame[0] in self.pending or frame[0] in self._given_up
            )
        if not fits:
            raise BadAnswer("what follows the answer was not asked", "surplus")
        return frame

    def _take(self, transaction: int, unit: int, pdu: bytes) -> None:
        exchange = self.pending.get(transaction)
        if exchange is None:
            self._ignore(transaction)
            return
        if unit != exchange.unit:
            raise BadAnswer(f"unit {unit}, {exchange.unit} was asked", "wrong_unit")
        del self.pending[transaction]
        words, refusal = None, None
        try:
            if self.pending and self._framing.has_swallowed(pdu, self.pending):
                raise BadAnswer("another answer stands in it", "cut_short")
            words = exchange.request.decode(pdu)
        except Refused as fault:
            refusal = fault
        except BadAnswer:
            self.pending[transaction] = exchange  # it ends as all the others do
            raise
        self._exchange_ended(exchange, words, refusal)

    def _ignore(self, transaction: int) -> None:
        """A late answer while others are still awaited is no fault of theirs."""
        if transaction not in self._given_up:
            raise BadAnswer(f"transaction {transaction} was not asked", "wrong_transaction")
        del self._given_up[transaction]

    def _watch(self, deadline: float) -> None:
        """One timer for all, which is left standing unless a deadline comes before it."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer_at = deadline
        self._timer = self.loop.call_at(deadline, self._expire, POLLS)

    def _expire(self, polls: int) -> None:
        """Give up what is late, but not before the loop has looked once more for its answer."""
        self._timer = None
        now = self.loop.time()
        late = [t for t, exchange in self.pending.items() if exchange.deadline <= now]
        if late and polls:
            self._timer_at = 0.0
            self._timer = self.loop.call_soon(self._expire, polls - 1)
            return
        for transaction in late:
            self.is_tainted = True
            self._given_up[transaction] = None
        ended = [self.pending.pop(transaction) for transaction in late]
        if self.pending:
            self._watch(min(exchange.deadline for exchange in self.pending.values()))
        for exchange in ended:
            detail = f"unit {exchange.unit}: nothing in {exchange.timeout_s:g} s"
            self._exchange_ended(exchange, None, NoAnswer(detail))

    def _end(self, fault: LinkFault) -> None:
        ended, self.pending, self._rest = self.pending, {}, b""
        self._given_up |= dict.fromkeys(ended)
        for exchange in ended.values():
            self._exchange_ended(exchange, None, fault)
