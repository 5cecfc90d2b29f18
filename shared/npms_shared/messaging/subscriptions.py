"""What a service hears, as data: its consumers.py returns a list of these."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.base import Batch, Event
from npms_shared.messaging.topology import QUEUES, STAGE_OF, Stage

B = TypeVar("B", bound=Batch)


class Unprocessable(Exception):
    """The content can never be applied; the message is parked with this reason."""

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code, self.detail = code, detail


@dataclass(frozen=True, slots=True)
class Meta:
    """What the envelope says of a message."""

    message_id: UUID
    type: str
    subject: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Received(Generic[B]):
    """A batch with its envelope."""

    meta: Meta
    batch: B


Portion = tuple[int, list[Received[B]]]
"""A partition, and what came of it, in order."""


@dataclass(frozen=True, slots=True)
class EventSubscription:
    """Single events, one transaction each, in the order of the queue."""

    queue: str
    contracts: tuple[type[Event], ...]
    handle: Callable[[AsyncConnection, Any, Meta], Awaitable[None]]

    def __post_init__(self) -> None:
        if set(QUEUES.get(self.queue, ())) != set(self.contracts):
            raise ValueError(f"{self.queue} hears {QUEUES.get(self.queue)} by the topology")


@dataclass(frozen=True, slots=True)
class PartitionSubscription(Generic[B]):
    """Batches of each partition, in order; many, of several partitions, per transaction.

    `handle(conn, portions)` works inside the frame's transaction.
    `forget(partition)` is called whenever what it cached of a partition may no
    longer be true: at taking over, after any transaction that did not commit.
    """

    contract: type[B]
    handle: Callable[[AsyncConnection, list[Portion[B]]], Awaitable[None]]
    forget: Callable[[int], None] = lambda _partition: None

    @property
    def stage(self) -> Stage:
        return STAGE_OF[self.contract]


Subscription = EventSubscription | PartitionSubscription[Any]
