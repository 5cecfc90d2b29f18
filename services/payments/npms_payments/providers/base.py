"""What every provider of online payments must be able to do for us.

An adapter verifies and translates; it decides nothing about money.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol
from uuid import UUID

from npms_payments.domain.provider_events import ProviderEvent


class ProviderUnreachable(Exception):
    """No answer, or none that says whether it was done: the outcome is unknown."""


class CheckoutRefused(Exception):
    """The provider said no, for good."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class EventUnreadable(Exception):
    """Signed by the provider, but not in a form this adapter knows."""

    def __init__(self, event_id: str, detail: str) -> None:
        super().__init__(f"{event_id}: {detail}")
        self.event_id, self.detail = event_id, detail


@dataclass(frozen=True, slots=True)
class Opened:
    """A checkout at the provider: its own name for it, and where the payer goes."""

    provider_ref: str
    checkout_url: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a provider says of an order it was asked about; `event` once there is an outcome."""

    opened: Opened
    event: ProviderEvent | None
    body: bytes


class Provider(Protocol):
    name: str

    async def open_checkout(self, order_id: UUID, *, amount_micro: int, currency: str) -> Opened:
        """Raises ProviderUnreachable or CheckoutRefused."""

    async def ask(self, order_id: UUID) -> Answer | None:
        """None when the provider never heard of the order. Raises ProviderUnreachable."""

    def read_event(self, headers: Mapping[str, str], body: bytes, *, at: datetime) -> ProviderEvent:
        """Verify, then translate; raises WebhookRefused or EventUnreadable."""

    async def close(self) -> None: ...
