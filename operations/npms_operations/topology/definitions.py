"""The whole topology in the form that RabbitMQ imports: users, rights, exchanges, queues."""

import base64
import hashlib
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from typing import Any, Self
from urllib.parse import unquote, urlsplit

from npms_shared.messaging.parts import Binding, Exchange, Part, Queue, part_of, rights_of
from npms_shared.messaging.topology import listening_exchange

PARTITIONS = 16

Entry = dict[str, Any]


@dataclass(frozen=True, slots=True)
class BrokerUser:
    name: str
    password: str

    @classmethod
    def of(cls, amqp_url: str) -> Self:
        """Who is named in a URL."""
        parts = urlsplit(amqp_url)
        return cls(unquote(parts.username or ""), unquote(parts.password or ""))


def definitions(
    vhost: str, users: Mapping[str, BrokerUser], *, partitions: int = PARTITIONS
) -> dict[str, list[Entry]]:
    """As `rabbitmqctl import_definitions` and the management interface take them.

    `users` by service; its keys are the services that there are.
    """
    parts = [part_of(service, partitions=partitions) for service in users]
    return {
        "vhosts": [{"name": vhost}],
        "users": [_user(user) for user in users.values()],
        "permissions": [_permission(vhost, name, user) for name, user in users.items()],
        "exchanges": [_exchange(vhost, one) for part in parts for one in _exchanges(part)],
        "queues": [_queue(vhost, one) for part in parts for one in part.queues],
        "bindings": [_binding(vhost, one) for part in parts for one in _bindings(part)],
    }


def vhost_of(amqp_url: str) -> str:
    """The virtual host of a URL; `/` is RabbitMQ's default."""
    return unquote(urlsplit(amqp_url).path[1:]) or "/"


def password_hash(password: str) -> str:
    """As RabbitMQ keeps it: four bytes of salt and SHA-256 over salt and password."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def user_entry(name: str, password: str, *tags: str) -> Entry:
    """A user in RabbitMQ's words."""
    return {
        "name": name,
        "password_hash": password_hash(password),
        "hashing_algorithm": "rabbit_password_hashing_sha256",
        "tags": list(tags),
    }


def _user(user: BrokerUser) -> Entry:
    return user_entry(user.name, user.password)


def _permission(vhost: str, service: str, user: BrokerUser) -> Entry:
    rights = rights_of(service)
    patterns = {"configure": rights.configure, "write": rights.write, "read": rights.read}
    return {"user": user.name, "vhost": vhost, **patterns}


def _exchanges(part: Part) -> Iterator[Exchange]:
    yield from part.exchanges
    for publisher in part.heard:
        yield Exchange(listening_exchange(part.service, publisher), "direct")


def _bindings(part: Part) -> Iterator[Binding]:
    return chain(part.bindings, *part.heard.values())


def _exchange(vhost: str, exchange: Exchange) -> Entry:
    return {
        "name": exchange.name,
        "vhost": vhost,
        "type": exchange.kind,
        "durable": True,
        "auto_delete": False,
        "internal": False,
        "arguments": {},
    }


def _queue(vhost: str, queue: Queue) -> Entry:
    return {
        "name": queue.name,
        "vhost": vhost,
        "durable": True,
        "auto_delete": False,
        "arguments": dict(queue.arguments),
    }


def _binding(vhost: str, binding: Binding) -> Entry:
    return {
        "source": binding.exchange,
        "vhost": vhost,
        "destination": binding.queue,
        "destination_type": "queue",
        "routing_key": binding.key,
        "arguments": {},
    }
