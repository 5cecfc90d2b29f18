"""What arrived at the sinks, in memory, and the faults they were told to have."""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

KEPT = 1_000
"""Messages kept of each kind, the newest."""

Kind = Literal["email", "sms"]


@dataclass(frozen=True, slots=True)
class Email:
    """`message_id` is the header, angle brackets included."""

    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    text: str
    arrived_at: datetime


@dataclass(frozen=True, slots=True)
class Sms:
    """`id` is what the operator answered, `client_reference` what the client calls it."""

    id: str
    client_reference: str
    to: str
    sender: str
    text: str
    arrived_at: datetime


@dataclass(slots=True)
class Faults:
    """How many of the next messages are refused, and with which status."""

    left: int = 0
    status: int = 0

    def strike(self) -> int | None:
        """The status to refuse this message with, if it is to be refused."""
        if self.left == 0:
            return None
        self.left -= 1
        return self.status


@dataclass(slots=True)
class Store:
    emails: deque[Email] = field(default_factory=lambda: deque(maxlen=KEPT))
    sms: deque[Sms] = field(default_factory=lambda: deque(maxlen=KEPT))
    faults: dict[Kind, Faults] = field(default_factory=lambda: {"email": Faults(), "sms": Faults()})

    def emails_to(self, address: str | None) -> Iterable[Email]:
        """Newest first; None asks for all."""
        return [e for e in reversed(self.emails) if address is None or address in e.recipients]

    def sms_to(self, number: str | None) -> Iterable[Sms]:
        """Newest first; None asks for all."""
        return [s for s in reversed(self.sms) if number is None or number == s.to]
