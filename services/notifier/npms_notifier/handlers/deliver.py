"""Sends what is due: claims under a lease, sends outside of any transaction, settles once.

A process that dies between sending and settling leaves its lease to run out, and the message goes
again with the same id: at least once, and the receiver can tell.
"""

import asyncio

import structlog

from npms_notifier import metrics, outgoing
from npms_notifier.channels.base import NotDelivered, OutgoingMessage, Sender
from npms_notifier.domain import codes
from npms_notifier.domain.contacts import Channel
from npms_notifier.domain.deliveries import after_failure
from npms_notifier.domain.records import ClaimedDelivery
from npms_notifier.handlers.context import Context
from npms_notifier.storage import codes as code_storage
from npms_notifier.storage import deliveries
from npms_shared.loops import wait_or_stop
from npms_shared.messaging import outbox

log = structlog.get_logger()


class DeliveryLoop:
    """Sends what is due on one channel, so that a slow one holds back no other."""

    def __init__(self, context: Context, channel: Channel, sender: Sender) -> None:
        self._channel, self._sender = channel, sender
        self._database, self._clock = context.database, context.clock
        self._retries, self._pace = context.retries, context.pace
        self._pepper = context.code_pepper

    async def run(self, stopping: asyncio.Event) -> None:
        """Until stopped; what is in hand then is sent and settled first."""
        while not stopping.is_set():
            if not await self.run_pass():
                await wait_or_stop(stopping, self._pace.idle.total_seconds())

    async def run_pass(self) -> int:
        """Attempt what is due, all at the same time; returns how many."""
        now = self._clock.wall_now()
        async with self._database.transaction() as conn:
            claimed = await deliveries.claim(
                conn,
                self._channel,
                at=now,
                lease_until=now + self._pace.lease,
                most=self._pace.at_once,
            )
        await asyncio.gather(*map(self._attempt, claimed))
        return len(claimed)

    async def _attempt(self, delivery: ClaimedDelivery) -> None:
        body = await self._database.outlast(lambda: self._body(delivery))
        if body is None:
            await self._database.outlast(lambda: self._settle_unwanted(delivery))
            return
        message = OutgoingMessage(delivery.delivery_id, delivery.address, delivery.subject, body)
        try:
            async with asyncio.timeout(self._pace.timeout.total_seconds()):
                reference = await self._sender.send(message)
        except NotDelivered as fault:
            reason, permanent = fault.reason, fault.permanent
        except TimeoutError:
            reason, permanent = "timeout", False
        else:
            await self._database.outlast(lambda: self._settle_sent(delivery, reference))
            return
        await self._database.outlast(
            lambda: self._settle_failure(delivery, reason, permanent=permanent)
        )

    async def _body(self, delivery: ClaimedDelivery) -> str | None:
        """What is to be sent, with a code made now where there is one in it.

        None where the code is not wanted any more. Each attempt sends a code of its own, since
        none is kept that could be sent again.
        """
        if delivery.template != codes.TEMPLATE:
            return delivery.body
        code, code_id = codes.new_code(), delivery.message_id
        async with self._database.transaction() as conn:
            wanted = await code_storage.arm(
                conn,
                code_id,
                digest=codes.digest_of(code_id, code, self._pepper),
                expires_at=self._clock.wall_now() + codes.LIFE,
            )
        return delivery.body.replace(codes.MASK, code) if wanted else None

    async def _settle_unwanted(self, delivery: ClaimedDelivery) -> None:
        at, error = self._clock.now(), "not_wanted_any_more"
        async with self._database.transaction() as conn:
            ours = await deliveries.settle_unwanted(conn, delivery, error=error, at=at)
        _count(delivery, "expired" if ours else "lease_lost")

    async def _settle_sent(self, delivery: ClaimedDelivery, reference: str) -> None:
        at = self._clock.now()
        async with self._database.transaction() as conn:
            ours = await deliveries.settle_sent(conn, delivery, reference=reference, at=at)
            if ours:
                event = outgoing.delivery_reported(delivery, state="sent", at=at)
                await outbox.publish(conn, event, subject=str(delivery.account_id))
        _count(delivery, "sent" if ours else "lease_lost")
        if delivery.template == codes.TEMPLATE:
            metrics.CONTACT_CODES.labels(channel=delivery.channel.value, outcome="sent").inc()

    async def _settle_failure(
        self, delivery: ClaimedDelivery, reason: str, *, permanent: bool
    ) -> None:
        outcome = after_failure(
            self._retries,
            attempts_made=delivery.attempts,
            permanent=permanent,
            at=self._clock.wall_now(),
        )
        if outcome.due_at is not None:
            async with self._database.transaction() as conn:
                ours = await deliveries.put_off(conn, delivery, error=reason, due_at=outcome.due_at)
        else:
            ours = await self._give_up(delivery, reason)
        _count(delivery, outcome.state if ours else "lease_lost")
        log.warning(
            "delivery_not_made",
            delivery_id=str(delivery.delivery_id),
            channel=delivery.channel,
            attempts=delivery.attempts,
            state=outcome.state,
            reason=reason,
        )

    async def _give_up(self, delivery: ClaimedDelivery, reason: str) -> bool:
        at = self._clock.now()
        async with self._database.transaction() as conn:
            ours = await deliveries.settle_failed(conn, delivery, error=reason, at=at)
            if ours:
                event = outgoing.delivery_reported(delivery, state="failed", at=at)
                await outbox.publish(conn, event, subject=str(delivery.account_id))
        return ours


def _count(delivery: ClaimedDelivery, outcome: str) -> None:
    metrics.NOTIFICATIONS.labels(channel=delivery.channel.value, outcome=outcome).inc()
