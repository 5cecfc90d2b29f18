"""What the broker gave up on, its consumers having died too often with it in hand: parked."""

from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage

from npms_shared.db.engine import Database
from npms_shared.messaging import parked
from npms_shared.messaging.events import wait_out_database
from npms_shared.messaging.lane import Lane
from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.messaging.topology import DELIVERY_LIMIT

CAME_FROM = "x-first-death-queue"

log = structlog.get_logger()


class UndeliveredWorker:
    """Parks every message of a service's `undelivered` queue under the queue it came from."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def work(self, lane: Lane) -> None:
        """Until the lane is stopped. Raises LaneLost."""
        while await lane.wait():
            message = lane.take()
            if message is not None:
                await wait_out_database(partial(self._park, message))
                await message.ack()

    async def _park(self, message: AbstractIncomingMessage) -> None:
        queue = str(message.headers.get(CAME_FROM, ""))
        fault = Unprocessable(
            "undelivered", f"{DELIVERY_LIMIT} deliveries were not settled: who had it died"
        )
        async with self._database.transaction() as conn:
            await parked.park(conn, queue, message, fault)
        log.error("message_parked", queue=queue, type=message.type, code=fault.code)
