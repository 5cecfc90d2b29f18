"""Publishing with confirms: a message is said only when the broker has it on disk."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, HeadersType
from aio_pika.exceptions import ChannelNotFoundEntity
from aiormq.exceptions import ChannelAccessRefused, PublishError

from npms_shared.messaging.broker import Broker
from npms_shared.messaging.topology import HEARD_TYPES

CONFIRM_TIMEOUT_S = 30
REFUSED = (ChannelNotFoundEntity, ChannelAccessRefused)


class Unroutable(ConnectionError):
    """The broker has no queue for it, or no exchange of that name that is ours."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message as it goes onto the wire; `headers` are added to the CloudEvents ones."""

    message_id: UUID
    exchange: str
    routing_key: str
    type: str
    source: str
    subject: str
    time: datetime
    body: bytes
    traceparent: str | None = None
    headers: dict[str, Any] = field(default_factory=dict)

    @property
    def must_arrive(self) -> bool:
        """Somebody listens to this type, so a broker that finds no queue for it is wrong."""
        return self.type in HEARD_TYPES or not self.exchange.endswith(".events")


class Publisher:
    """Sends in the order given, over one channel, and returns when all are confirmed."""

    def __init__(self, broker: Broker) -> None:
        self._broker = broker
        self._channel: AbstractChannel | None = None
        self._exchanges: dict[str, AbstractExchange] = {}

    async def publish(self, messages: Sequence[Outgoing]) -> None:
        """Raises one of BROKER_AWAY when any is not confirmed; which were is then unknown."""
        refused = await self._send_all(messages)
        if refused:
            raise Unroutable("; ".join(refused.values()))

    async def offer(self, messages: Sequence[Outgoing]) -> dict[int, str]:
        """Send them; returns which the broker has no queue for, by their places, with its words.

        The others are confirmed then. Raises one of BROKER_AWAY when that is not known of any.
        """
        try:
            return await self._send_all(messages)
        except REFUSED:
            return await self._send_singly(messages)

    async def _send_singly(self, messages: Sequence[Outgoing]) -> dict[int, str]:
        """One of them names an exchange that is not there or not ours, and took the others' channel
        away. Who was sent before is sent twice.
        """
        refused = {}
        for place, message in enumerate(messages):
            try:
                if words := await self._send_all([message]):
                    refused[place] = words[0]
            except REFUSED as fault:
                refused[place] = str(fault)
        return refused

    async def _send_all(self, messages: Sequence[Outgoing]) -> dict[int, str]:
        channel = await self._open()
        try:
            async with asyncio.timeout(CONFIRM_TIMEOUT_S):
                ends = await asyncio.gather(
                    *(self._send(channel, message) for message in messages), return_exceptions=True
                )
            returned = [isinstance(end, PublishError) for end in ends]
            faults = [end for end in ends if isinstance(end, BaseException)]
            if len(faults) > sum(returned):
                raise _cause_of(faults)
        except BaseException:
            await self._drop()
            raise
        return {place: f"no queue for {messages[place].routing_key!r} in {messages[place].exchange}"
                for place, was in enumerate(returned) if was}  # fmt: skip

    async def _send(self, channel: AbstractChannel, message: Outgoing) -> None:
        exchange = await self._exchange(channel, message.exchange)
        await exchange.publish(
            _to_wire(message, self._broker.user), message.routing_key, mandatory=message.must_arrive
        )

    async def _exchange(self, channel: AbstractChannel, name: str) -> AbstractExchange:
        if name not in self._exchanges:
            self._exchanges[name] = (
                await channel.get_exchange(name, ensure=False) if name else channel.default_exchange
            )
        return self._exchanges[name]

    async def _open(self) -> AbstractChannel:
        if self._channel is None or self._channel.is_closed:
            self._exchanges.clear()
            self._channel = await self._broker.channel(confirms=True)
        return self._channel

    async def _drop(self) -> None:
        channel, self._channel = self._channel, None
        if channel is not None and not channel.is_closed:
            await channel.close()


def _cause_of(faults: Sequence[BaseException]) -> BaseException:
    """Why the channel was closed, where one says so, and not that it is."""
    others = [fault for fault in faults if not isinstance(fault, PublishError)]
    return next((fault for fault in others if isinstance(fault, REFUSED)), others[0])


def _to_wire(message: Outgoing, user: str) -> aio_pika.Message:
    headers: HeadersType = {
        "cloudEvents_specversion": "1.0",
        "cloudEvents_id": str(message.message_id),
        "cloudEvents_source": message.source,
        "cloudEvents_type": message.type,
        "cloudEvents_subject": message.subject,
        "cloudEvents_time": message.time.isoformat(),
        **message.headers,
    }
    if message.traceparent is not None:
        headers["traceparent"] = message.traceparent
    return aio_pika.Message(
        message.body,
        message_id=str(message.message_id),
        type=message.type,
        content_type="application/json",
        timestamp=message.time,
        app_id=message.source,
        user_id=user,
        delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
        headers=headers,
    )
