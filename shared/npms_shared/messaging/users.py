"""Who said a message: the broker vouches for the user, the contract names the publisher.

RabbitMQ lets nobody publish under another's `user_id`. What a service repeats to itself (a
retry, a replay) bears its own user; a header then says whom it had it from.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote, urlsplit

from aio_pika.abc import AbstractIncomingMessage

from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.messaging.topology import CONTRACT_OF

SAID_BY = "x-npms-said-by"
"""The users through whose hands it went, the first one first, with `>` between them."""


def user_in(amqp_url: str) -> str:
    """The broker's user that a URL names."""
    return unquote(urlsplit(amqp_url).username or "guest")


@dataclass(frozen=True, slots=True)
class BrokerUsers:
    """Whom a service believes."""

    own: str
    prefix: str | None
    """What stands before the service's name in every service's user; None: they share one."""
    trusted: frozenset[str] = frozenset()
    """Believed whatever they say: while an installation changes over to a user per service."""

    @classmethod
    def of(cls, service: str, amqp_url: str, trusted: Iterable[str] = ()) -> Self:
        own = user_in(amqp_url)
        prefix = own.removesuffix(service) if own.endswith(service) else None
        return cls(own, prefix, frozenset(trusted))

    @property
    def are_shared(self) -> bool:
        """All services have one user, and who says what cannot be told."""
        return self.prefix is None

    def check(self, message: AbstractIncomingMessage) -> None:
        """Raises Unprocessable, forged_publisher: it was not said by who alone may say it.

        A type that nobody knows is left to the decoding, which refuses it.
        """
        contract = CONTRACT_OF.get(message.type or "")
        if self.prefix is None or contract is None:
            return
        speaker = self._speaker(message)
        if speaker not in {f"{self.prefix}{contract.publisher}", self.own, *self.trusted}:
            raise Unprocessable(
                "forged_publisher", f"{contract.publisher} says this; it came of {speaker!r}"
            )

    def _speaker(self, message: AbstractIncomingMessage) -> str:
        """Who said it before it was repeated here."""
        hands = hands_of(message)
        while len(hands) > 1 and hands[-1] == self.own:
            hands.pop()
        return hands[-1]


def hands_of(message: AbstractIncomingMessage) -> list[str]:
    """The users that had it, the last one vouched for by the broker; "" stands for nobody."""
    before = message.headers.get(SAID_BY)
    hands = before.split(">") if isinstance(before, str) else []
    last = message.user_id or ""
    return hands if hands and hands[-1] == last else [*hands, last]
