"""What a channel is to the delivery loop."""

from dataclasses import dataclass
from typing import Protocol
from uuid import UUID


@dataclass(frozen=True, slots=True)
class OutgoingMessage:
    """`delivery_id` goes along, so that a message that left twice is seen to be the same one."""

    delivery_id: UUID
    address: str
    subject: str
    body: str


class NotDelivered(Exception):
    """The other side did not take the message; `permanent` where asking again cannot help."""

    def __init__(self, reason: str, *, permanent: bool) -> None:
        super().__init__(reason)
        self.reason, self.permanent = reason, permanent


class Sender(Protocol):
    async def send(self, message: OutgoingMessage) -> str:
        """Hand the message over; returns the other side's reference. Raises NotDelivered."""
        ...

    async def close(self) -> None: ...
