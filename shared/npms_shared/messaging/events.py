"""Single events: one transaction each; what fails comes back later, what is wrong is parked."""

from functools import partial

import structlog
from aio_pika.abc import AbstractIncomingMessage

from npms_shared.db.engine import Database
from npms_shared.messaging import inbox, parked, trace
from npms_shared.messaging.envelope import ATTEMPT, attempt_of, decode, headers_of, meta_of
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.subscriptions import EventSubscription, Unprocessable
from npms_shared.messaging.topology import RETRY_DELAYS_S, retry_exchange, service_of
from npms_shared.messaging.users import BrokerUsers
from npms_shared.observability import metrics

log = structlog.get_logger()


class EventWorker:
    """Applies the messages of one queue, one after the other."""

    def __init__(
        self,
        database: Database,
        publisher: Publisher,
        subscription: EventSubscription,
        users: BrokerUsers,
    ) -> None:
        self._database, self._publisher, self._sub = database, publisher, subscription
        self._users, self._service = users, service_of(subscription.queue)

    async def handle(self, message: AbstractIncomingMessage) -> None:
        """Settle one message for good: returns after its acknowledgement was sent."""
        trace.begin(_traceparent(message))
        with metrics.MESSAGE_HANDLING.labels(queue=self._sub.queue).time():
            outcome = await self._settle(message)
        metrics.MESSAGES_CONSUMED.labels(queue=self._sub.queue, outcome=outcome).inc()
        await message.ack()

    async def _settle(self, message: AbstractIncomingMessage) -> str:
        try:
            return await self._database.outlast(partial(self._apply, message))
        except Unprocessable as fault:
            return await self._park(message, fault)
        except Exception as fault:  # noqa: BLE001 - whatever a handler raises
            log.warning("event_failed", queue=self._sub.queue, type=message.type, fault=repr(fault))
            if attempt_of(message) < len(RETRY_DELAYS_S):
                return await self._retry(message)
            return await self._park(message, Unprocessable("attempts_spent", repr(fault)))

    async def _apply(self, message: AbstractIncomingMessage) -> str:
        event = decode(message, self._sub.contracts, self._users)
        meta = meta_of(message)
        async with self._database.transaction() as conn:
            if not await inbox.hear(conn, self._sub.queue, meta.message_id):
                return "duplicate"
            await self._sub.handle(conn, event, meta)
        return "done"

    async def _park(self, message: AbstractIncomingMessage, fault: Unprocessable) -> str:
        async def park() -> bool:
            async with self._database.transaction() as conn:
                return await parked.park(conn, self._sub.queue, message, fault)

        if not await self._database.outlast(park):
            return "duplicate"
        log.error(
            "message_parked", queue=self._sub.queue, type=message.type, code=fault.code,
            reason=fault.detail,
        )  # fmt: skip
        return "parked"

    async def _retry(self, message: AbstractIncomingMessage) -> str:
        """Into the waiting room of its next delay; confirmed there before it is acknowledged."""
        attempt, meta = attempt_of(message), meta_of(message)
        await self._publisher.publish(
            [
                Outgoing(
                    message_id=meta.message_id,
                    exchange=retry_exchange(self._service, RETRY_DELAYS_S[attempt]),
                    routing_key=self._sub.queue,
                    type=meta.type,
                    source=message.app_id or "",
                    subject=meta.subject,
                    time=meta.time,
                    body=message.body,
                    traceparent=_traceparent(message),
                    headers={**_own_headers(message), ATTEMPT: attempt + 1},
                )
            ]
        )
        return "retried"


def _own_headers(message: AbstractIncomingMessage) -> dict[str, object]:
    return {k: v for k, v in headers_of(message).items() if k.startswith("x-npms-")}


def _traceparent(message: AbstractIncomingMessage) -> str | None:
    value = message.headers.get("traceparent")
    return value if isinstance(value, str) else None
