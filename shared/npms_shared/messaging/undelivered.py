"""What the broker gave up on, its consumers having died too often with it in hand: parked."""

from functools import partial
from typing import Any

import structlog
from aio_pika.abc import AbstractIncomingMessage

from npms_shared.db.engine import Database
from npms_shared.messaging import parked
from npms_shared.messaging.queue_consumer import QueueConsumer
from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.messaging.topology import DELIVERY_LIMIT

DIED = "delivery_limit"
"""Why the broker gave it up. It may have died before, of the waiting times of its retries."""

log = structlog.get_logger()


class UndeliveredWorker:
    """Parks every message of a service's `undelivered` queue under the queue it came from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def work(self, consumer: QueueConsumer) -> None:
        """Until the consumer is stopped. Raises ConsumerLost."""
        while await consumer.wait():
            message = consumer.take()
            if message is not None:
                await self._database.outlast(partial(self._park, message))
                await message.ack()

    async def _park(self, message: AbstractIncomingMessage) -> None:
        queue = queue_it_died_in(message)
        fault = Unprocessable(
            "undelivered", f"{DELIVERY_LIMIT} deliveries were not settled: who had it died"
        )
        async with self._database.transaction() as conn:
            if not await parked.park(conn, queue, message, fault):
                return
        log.error("message_parked", queue=queue, type=message.type, code=fault.code)


def queue_it_died_in(message: AbstractIncomingMessage) -> str:
    """The queue whose delivery limit it reached; empty where the broker does not say."""
    deaths: Any = message.headers.get("x-death") or []
    return next((str(death["queue"]) for death in deaths if death.get("reason") == DIED), "")
