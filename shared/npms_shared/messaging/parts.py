"""What of the topology is whose, and the rights on the broker that follow from it.

A service declares its own exchanges and queues, binds its queues to what others say, and can
do nothing else. By name: its queues begin with `<service>.`, its exchanges with
`npms.<service>.`, and the exchange of a stage is its publisher's.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from npms_shared.messaging import topology
from npms_shared.messaging.topology import (
    listening_exchange,
    requeue_exchange,
    retry_exchange,
    retry_queue,
    service_of,
)

QUORUM = {"x-queue-type": "quorum"}


@dataclass(frozen=True, slots=True)
class Exchange:
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class Queue:
    name: str
    arguments: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Binding:
    """What of an exchange goes into a queue."""

    exchange: str
    queue: str
    key: str


@dataclass(frozen=True, slots=True)
class Part:
    """One service's share of the topology, in the order of its declaration."""

    service: str
    exchanges: tuple[Exchange, ...]
    queues: tuple[Queue, ...]
    bindings: tuple[Binding, ...]
    """To its own exchanges."""
    heard: Mapping[str, tuple[Binding, ...]]
    """Publisher → bindings to its exchanges."""


@dataclass(frozen=True, slots=True)
class Rights:
    """RabbitMQ's three patterns on the names of exchanges and queues."""

    configure: str
    write: str
    read: str


def part_of(service: str, *, partitions: int) -> Part:
    """What the service declares."""
    queues = (
        *(Queue(name, _limited(service)) for name in _event_queues(service)),
        *(Queue(name, _single(service)) for name in _lane_queues(service, partitions)),
        Queue(topology.undelivered_queue(service), QUORUM),
    )
    return Part(
        service,
        exchanges=tuple(_exchanges(service)),
        queues=(*queues, *(_waiting(service, d) for d in topology.RETRY_DELAYS_S)),
        bindings=(
            *(Binding(requeue_exchange(service), queue.name, queue.name) for queue in queues),
            *(_into_waiting(service, d) for d in topology.RETRY_DELAYS_S),
        ),
        heard=_heard(service, partitions),
    )


def listeners_of(service: str, *, partitions: int) -> tuple[frozenset[str], frozenset[str]]:
    """The exchanges and the queues that are there when all who hear the service are."""
    listening = {other: _heard(other, partitions).get(service, ()) for other in topology.PUBLISHERS}
    exchanges = (listening_exchange(other, service) for other, found in listening.items() if found)
    return frozenset(exchanges), frozenset(b.queue for found in listening.values() for b in found)


def rights_of(service: str) -> Rights:
    """Over what is its own; and to listen to those whom it hears."""
    own = rf"(npms\.)?{re.escape(service)}\..*"
    said = [stage.exchange for stage in topology.STAGES if stage.contract.publisher == service]
    heard = sorted({b.exchange for found in _heard(service, 1).values() for b in found})
    writes = _any_of(own, *map(re.escape, said))
    return Rights(configure=writes, write=writes, read=_any_of(own, *map(re.escape, heard)))


def _any_of(*patterns: str) -> str:
    return f"^({'|'.join(patterns)})$"


def _exchanges(service: str) -> Iterator[Exchange]:
    yield Exchange(topology.events_exchange(service), "topic")
    yield Exchange(requeue_exchange(service), "direct")
    for delay_s in topology.RETRY_DELAYS_S:
        yield Exchange(retry_exchange(service, delay_s), "fanout")
    for stage in topology.STAGES:
        if stage.contract.publisher == service:
            yield Exchange(stage.exchange, "direct")


def _event_queues(service: str) -> list[str]:
    return [name for name in topology.QUEUES if service_of(name) == service]


def _lane_queues(service: str, partitions: int) -> list[str]:
    return [
        stage.queue_of(partition)
        for stage in topology.STAGES
        if service_of(stage.queue) == service
        for partition in range(partitions)
    ]


def _limited(service: str) -> dict[str, Any]:
    """What is delivered too often is not dropped: it goes to the service's undelivered queue."""
    return {
        **QUORUM,
        "x-delivery-limit": topology.DELIVERY_LIMIT,
        "x-dead-letter-exchange": requeue_exchange(service),
        "x-dead-letter-routing-key": topology.undelivered_queue(service),
        "x-dead-letter-strategy": "at-least-once",
        "x-overflow": "reject-publish",
    }


def _single(service: str) -> dict[str, Any]:
    return {**_limited(service), "x-single-active-consumer": True}


def _waiting(service: str, delay_s: int) -> Queue:
    """A message waits here and goes back by its routing key, which is its queue's name."""
    return Queue(
        retry_queue(service, delay_s),
        {
            **QUORUM,
            "x-message-ttl": delay_s * 1000,
            "x-dead-letter-exchange": requeue_exchange(service),
            "x-dead-letter-strategy": "at-least-once",
            "x-overflow": "reject-publish",
        },
    )


def _into_waiting(service: str, delay_s: int) -> Binding:
    return Binding(retry_exchange(service, delay_s), retry_queue(service, delay_s), "")


def _heard(service: str, partitions: int) -> dict[str, tuple[Binding, ...]]:
    bindings: dict[str, list[Binding]] = {}
    for name in _event_queues(service):
        for contract in topology.QUEUES[name]:
            exchange = topology.events_exchange(contract.publisher)
            binding = Binding(exchange, name, contract.name)
            bindings.setdefault(contract.publisher, []).append(binding)
    for stage in topology.STAGES:
        if service_of(stage.queue) == service:
            bindings.setdefault(stage.contract.publisher, []).extend(
                Binding(stage.exchange, stage.queue_of(partition), str(partition))
                for partition in range(partitions)
            )
    return {publisher: tuple(found) for publisher, found in bindings.items()}
