"""Sends what is due: claims under a lease, sends outside of any transaction, settles once.

A process that dies between sending and settling leaves its lease to run out, and the message goes
again with the same id: at least once, and the receiver can tell.
"""

import asyncio
from datetime import datetime

import structlog

from npms_notifier import metrics, outgoing
from npms_notifier.channels.base import NotDelivered, OutgoingMessage, Sender
from npms_notifier.domain import codes
from npms_notifier.domain.contacts import Channel
from npms_notifier.domain.deliveries import State, after_failure
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
            await self._settle(delivery, State.EXPIRED, error="not_wanted_any_more")
            return
        message = OutgoingMessage(delivery.delivery_id, delivery.address, delivery.subject, body)
        try:
            async with asyncio.timeout(self._pace.timeout.total_seconds()):
                reference = await self._sender.send(message)
        except NotDelivered as fault:
            await self._settle_failure(delivery, fault.reason, permanent=fault.permanent)
        except TimeoutError:
            await self._settle_failure(delivery, "timeout", permanent=False)
        else:
            await self._settle(delivery, State.SENT, reference=reference)

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

    async def _settle_failure(
        self, delivery: ClaimedDelivery, reason: str, *, permanent: bool
    ) -> None:
        outcome = after_failure(
            self._retries,
            attempts_made=delivery.attempts,
            permanent=permanent,
            at=self._clock.wall_now(),
        )
        log.warning(
            "delivery_not_made",
            delivery_id=str(delivery.delivery_id),
            channel=delivery.channel,
            attempts=delivery.attempts,
            state=outcome.state,
            reason=reason,
        )
        if outcome.due_at is None:
            await self._settle(delivery, State.FAILED, error=reason)
        else:
            await self._put_off(delivery, reason, outcome.due_at)

    async def _put_off(self, delivery: ClaimedDelivery, reason: str, due_at: datetime) -> None:
        async def work() -> bool:
            async with self._database.transaction() as conn:
                return await deliveries.put_off(conn, delivery, error=reason, due_at=due_at)

        ours = await self._database.outlast(work)
        _count(delivery, State.RETRYING if ours else None)

    async def _settle(
        self,
        delivery: ClaimedDelivery,
        state: State,
        *,
        error: str | None = None,
        reference: str | None = None,
    ) -> None:
        """Once, and reported in the same transaction; what is not sent after all is not."""

        async def work() -> bool:
            at = self._clock.now()
            async with self._database.transaction() as conn:
                ours = await deliveries.settle(
                    conn, delivery, state, at=at, error=error, reference=reference
                )
                if ours and state is not State.EXPIRED:
                    event = outgoing.delivery_reported(delivery, state=state, at=at)
                    await outbox.publish(conn, event, subject=str(delivery.account_id))
            return ours

        ours = await self._database.outlast(work)
        _count(delivery, state if ours else None)


def _count(delivery: ClaimedDelivery, state: State | None) -> None:
    """None where the lease was lost meanwhile."""
    channel, outcome = delivery.channel.value, state.value if state else "lease_lost"
    metrics.NOTIFICATIONS.labels(channel=channel, outcome=outcome).inc()
    if state is State.SENT and delivery.template == codes.TEMPLATE:
        metrics.CONTACT_CODES.labels(channel=channel, outcome=outcome).inc()
