"""Money that a provider takes back: found by the transaction that was named, wherever it lies."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments import metrics
from npms_payments.domain.lifecycle import Fact, State
from npms_payments.domain.provider_events import Held, Place, ProviderEvent
from npms_payments.domain.records import Payment, Suspended
from npms_payments.handlers.context import Context
from npms_payments.outgoing import to_payment_reversed
from npms_payments.storage import payments, provider_events, suspense
from npms_shared.contracts.payments import CHARGEBACK
from npms_shared.ids import new_id
from npms_shared.messaging import outbox

REFUNDED = "refunded_by_provider"


@dataclass(frozen=True, slots=True)
class Named:
    """The money that a reversal names; the row that it lies in is locked."""

    held: Held
    payment: Payment | None = None
    item: Suspended | None = None


async def find_named(
    conn: AsyncConnection, event: ProviderEvent, order: Payment | None
) -> Named | None:
    """None where the event takes nothing back, or what never came. `order` is locked already."""
    if event.fact is not Fact.REVERSED or event.of_txn_id is None:
        return None
    if order is not None and order.reference == event.of_txn_id:
        return _of_payment(order, order)
    item = await suspense.lock_reference(conn, source=event.source, reference=event.of_txn_id)
    if item is None:
        other = await payments.find_reference(conn, event.source, event.of_txn_id)
        return _of_payment(other, other) if other else None
    if item.payment_id is None:
        place = Place.SUSPENSE if item.state == "open" else Place.GONE
        held = Held(place, item.order_id, item.amount_micro, item.currency)
        return Named(held, item=item)
    allocated = await payments.lock(conn, item.payment_id)
    assert allocated is not None
    return _of_payment(allocated, item)


def _of_payment(payment: Payment, came_for: Payment | Suspended) -> Named:
    order_id = came_for.payment_id if isinstance(came_for, Payment) else came_for.order_id
    place = Place.PAYMENT if payment.state is State.SETTLED else Place.GONE
    held = Held(place, order_id, payment.amount_micro, payment.currency)
    return Named(held, payment=payment)


async def was_taken_back(conn: AsyncConnection, event: ProviderEvent) -> bool:
    """Whether the reversal of this money was told before the money itself."""
    if event.fact is not Fact.SUCCEEDED or event.txn_id is None:
        return False
    return await provider_events.find_reversal(conn, event, of_txn_id=event.txn_id) is not None


async def reverse_payment(
    conn: AsyncConnection, context: Context, heard: ProviderEvent, payment: Payment
) -> None:
    """Told to the ledger only if the settlement was: before it, there is nothing to take back."""
    reversal_id, reason, now = new_id(), reason_of(heard), context.clock.now()
    await payments.mark_reversed(
        conn, payment.payment_id, reversal_id=reversal_id, reason=reason, at=now
    )
    metrics.PAYMENTS.labels(source=payment.source, state=State.REVERSED).inc()
    if payment.state is State.SETTLED:
        event = to_payment_reversed(payment, reversal_id=reversal_id, reason=reason, at=now)
        await outbox.publish(conn, event, subject=str(payment.account_id))


async def return_item(
    conn: AsyncConnection, context: Context, heard: ProviderEvent, item: Suspended
) -> None:
    """Close what lies in suspense: its provider has given it back."""
    back = heard
    if heard.fact is Fact.SUCCEEDED:
        told = await provider_events.find_reversal(conn, heard, of_txn_id=item.reference)
        assert told is not None, "it was taken back before it came"
        back = told
    await suspense.mark_returned(
        conn,
        item.suspense_id,
        at=context.clock.now(),
        by=heard.provider,
        reason=reason_of(back),
        reference=back.txn_id or back.event_id,
    )


def reason_of(event: ProviderEvent) -> str:
    return CHARGEBACK if event.chargeback else REFUNDED
