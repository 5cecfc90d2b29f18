"""What a partition consumer has taken from its queues and not settled yet."""

from dataclasses import dataclass, field
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage

from npms_shared.contracts.base import Batch
from npms_shared.messaging.queue_consumer import ConsumerLost, QueueConsumer
from npms_shared.messaging.subscriptions import Received

Delivery = tuple[AbstractIncomingMessage, Received[Batch]]


class Fenced(Exception):
    """Other processes own these partitions by now: nothing of this one may commit."""

    def __init__(self, partitions: set[int]) -> None:
        super().__init__(f"partitions {sorted(partitions)}")
        self.partitions = partitions


@dataclass(slots=True)
class Claim:
    """A partition held: its consumer, and the epoch under which it was claimed, once it was."""

    partition: int
    consumer: QueueConsumer
    epoch: int | None = None


@dataclass(slots=True)
class InFlight:
    """What was taken from a claim's queue; `last` acknowledges it all."""

    claim: Claim
    deliveries: list[Delivery] = field(default_factory=list)
    last: AbstractIncomingMessage | None = None


def next_of(consumer: QueueConsumer) -> AbstractIncomingMessage | None:
    try:
        return consumer.take()
    except ConsumerLost:
        return None


def apart(in_flight: list[InFlight]) -> list[InFlight]:
    """By partition where there are several, else by message."""
    if len(in_flight) > 1:
        return in_flight
    (taken,) = in_flight
    return [InFlight(taken.claim, [delivery]) for delivery in taken.deliveries]


def first_of_each(deliveries: list[Delivery], new: set[UUID]) -> list[Received[Batch]]:
    """The new ones, each once, though a redelivery stands in the same turn."""
    fresh = []
    for _, received in deliveries:
        if received.meta.message_id in new:
            new.discard(received.meta.message_id)
            fresh.append(received)
    return fresh
