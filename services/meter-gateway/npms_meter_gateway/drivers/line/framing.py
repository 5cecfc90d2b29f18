"""How requests and answers are wrapped on the way: the interface that every protocol fulfils."""

from collections.abc import Collection, Mapping
from typing import Protocol

Frame = tuple[int, int, bytes, int]
"""(transaction, unit, PDU, bytes taken); the transaction is 0 where frames bear none."""


class LineRequest(Protocol):
    """A request, and what its only valid answers mean."""

    def encode(self) -> bytes:
        """What is asked, without the unit and the frame around it."""

    def decode(self, answer: bytes) -> tuple[int, ...]:
        """The numbers asked for, or none for a command; raises BadAnswer or Refused."""


class Framing(Protocol):
    """Wraps requests and finds answers; what is not whole is waited for, what is wrong raises."""

    transactions: int
    """How many requests in flight it can tell apart."""

    def wrap(self, transaction: int, unit: int, pdu: bytes) -> bytes:
        """The bytes to send."""

    def first(self, data: bytes) -> Frame | None:
        """The answer that `data` begins with, None while bytes are missing; raises BadAnswer."""

    def may_begin(self, data: bytes, transactions: Collection[int]) -> bool:
        """Whether an answer to one of these transactions may begin with `data`, which is no whole
        one and begins no other.
        """

    def has_swallowed(self, pdu: bytes, asked: Mapping[int, "Addressed"]) -> bool:
        """Whether the begin of an answer to one of these stands in `pdu`, which lost bytes then."""


class Addressed(Protocol):
    """A request and the unit it was sent to."""

    unit: int
    request: LineRequest


class Unnumbered:
    """Frames that say nothing of what they answer: one request at a time, and nothing after it."""

    transactions = 1

    def may_begin(self, _data: bytes, _transactions: Collection[int]) -> bool:
        return False

    def has_swallowed(self, _pdu: bytes, _asked: Mapping[int, Addressed]) -> bool:
        return False
