"""A connection to RabbitMQ that is made again when it is lost.

aio-pika's robust connection is not used: after a reconnect delivery tags start
again, so whatever was in hand must be dropped, and here that is plain to see:
a lost channel ends its consumer's loop, which opens a new one.
"""

import asyncio

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection
from aio_pika.exceptions import AMQPError

from npms_shared.messaging.users import user_in

BROKER_AWAY = (AMQPError, OSError, TimeoutError, RuntimeError)
"""What aio-pika and aiormq raise when the broker, a connection or a channel has gone."""

CONNECT_TIMEOUT_S = 10
HEARTBEAT_S = 10


class Broker:
    """One named connection, remade on demand; publishing and consuming each have their own."""

    def __init__(self, url: str, *, name: str) -> None:
        own_heartbeat = "heartbeat=" in url
        separator = "&" if "?" in url else "?"
        self._url = url if own_heartbeat else f"{url}{separator}heartbeat={HEARTBEAT_S}"
        self._name = name
        self.user = user_in(url)
        self._connection: AbstractConnection | None = None
        self._lock = asyncio.Lock()
        self.connections = 0
        """How many were made so far: after each the broker may be another."""

    @property
    def connected(self) -> bool:
        connection = self._connection
        return connection is not None and not connection.is_closed and connection.connected.is_set()

    async def channel(self, *, confirms: bool = False) -> AbstractChannel:
        """A new channel; raises one of BROKER_AWAY when the broker cannot be reached."""
        async with self._lock:
            if not self.connected:
                self._connection = await aio_pika.connect(
                    self._url,
                    timeout=CONNECT_TIMEOUT_S,
                    client_properties={"connection_name": self._name},
                )
                self.connections += 1
            assert self._connection is not None
            channel = self._connection.channel(
                publisher_confirms=confirms, on_return_raises=confirms
            )
        await channel.initialize(timeout=CONNECT_TIMEOUT_S)
        return channel

    async def close(self) -> None:
        if self._connection is not None:
            await self._connection.close()
