"""What a partition consumer has taken of its lanes and not settled yet."""

from dataclasses import dataclass, field
from uuid import UUID

from aio_pika.abc import AbstractIncomingMessage

from npms_shared.contracts.base import Batch
from npms_shared.messaging.lane import Lane, LaneLost
from npms_shared.messaging.subscriptions import Received

Delivery = tuple[AbstractIncomingMessage, Received[Batch]]


class Fenced(Exception):
    """Other processes own these partitions by now: nothing of this one may commit."""

    def __init__(self, partitions: set[int]) -> None:
        super().__init__(f"partitions {sorted(partitions)}")
        self.partitions = partitions


@dataclass(slots=True)
class Share:
    """A partition held: its lane, and the epoch under which it was claimed, once it was."""

    partition: int
    lane: Lane
    epoch: int | None = None


@dataclass(slots=True)
class Hand:
    """What was taken of a share's lane; `last` acknowledges it all."""

    share: Share
    deliveries: list[Delivery] = field(default_factory=list)
    last: AbstractIncomingMessage | None = None


def next_of(lane: Lane) -> AbstractIncomingMessage | None:
    try:
        return lane.take()
    except LaneLost:
        return None


def apart(hands: list[Hand]) -> list[Hand]:
    """By partition where there are several, else by message."""
    if len(hands) > 1:
        return hands
    (hand,) = hands
    return [Hand(hand.share, [delivery]) for delivery in hand.deliveries]


def first_of_each(deliveries: list[Delivery], new: set[UUID]) -> list[Received[Batch]]:
    """The new ones, each once, though a redelivery stands in the same turn."""
    fresh = []
    for _, received in deliveries:
        if received.meta.message_id in new:
            new.discard(received.meta.message_id)
            fresh.append(received)
    return fresh
