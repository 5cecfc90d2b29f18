"""Money that arrived, in one transaction: noted once, settled or set aside, and told."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments import metrics
from npms_payments.domain.errors import AlreadyReceived
from npms_payments.domain.lifecycle import State
from npms_payments.domain.records import Money
from npms_payments.outgoing import to_payment_settled
from npms_payments.storage import payments, suspense
from npms_shared.ids import new_id
from npms_shared.messaging import outbox


async def receive(conn: AsyncConnection, money: Money, *, at: datetime) -> None:
    """Raises AlreadyReceived where the same money was noted before."""
    if not await payments.claim_arrival(conn, money, at=at):
        raise AlreadyReceived(source=money.source, reference=money.reference)


async def settle_new(
    conn: AsyncConnection,
    money: Money,
    *,
    payment_id: UUID,
    account_id: int,
    at: datetime,
    by: str,
) -> None:
    """A payment that is settled from its beginning; its money was received before."""
    await payments.insert_payment(
        conn,
        payment_id=payment_id,
        account_id=account_id,
        money=money,
        state=State.SETTLED,
        at=at,
        by=by,
    )
    await tell_settled(conn, money, payment_id=payment_id, account_id=account_id, at=at)


async def tell_settled(
    conn: AsyncConnection, money: Money, *, payment_id: UUID, account_id: int, at: datetime
) -> None:
    event = to_payment_settled(payment_id, account_id, money, at=at)
    await outbox.publish(conn, event, subject=str(account_id))
    metrics.PAYMENTS.labels(source=money.source, state=State.SETTLED).inc()


async def set_aside(
    conn: AsyncConnection,
    money: Money,
    *,
    account_given: str,
    order_id: UUID | None,
    reason: str,
    at: datetime,
    by: str,
) -> UUID:
    """Into suspense; returns the item's id."""
    suspense_id = new_id()
    await suspense.insert_item(
        conn,
        suspense_id=suspense_id,
        money=money,
        account_given=account_given,
        order_id=order_id,
        reason=reason,
        at=at,
        by=by,
    )
    metrics.SUSPENSE.labels(reason=reason).inc()
    return suspense_id
