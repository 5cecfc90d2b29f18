"""What a provider tells is kept once, judged by the domain, and applied in one transaction."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments import metrics
from npms_payments.domain.lifecycle import State
from npms_payments.domain.provider_events import (
    Action,
    Decision,
    Order,
    ProviderEvent,
    decide,
)
from npms_payments.domain.records import Money, Payment, Review
from npms_payments.handlers.context import Context
from npms_payments.handlers.settle import receive, set_aside, tell_settled
from npms_payments.outgoing import to_payment_reversed
from npms_payments.storage import accounts, checkouts, payments, provider_events
from npms_shared.contracts.payments import CHARGEBACK
from npms_shared.ids import new_id
from npms_shared.messaging import outbox

DUPLICATE = "duplicate"
KEPT_BYTES = 4_000


async def hear_event(
    conn: AsyncConnection, context: Context, event: ProviderEvent, *, body: bytes
) -> str:
    """What became of the event: `duplicate`, or the name of a provider_events.Action."""
    payment = await _lock_order(conn, event)
    decision = decide(await _order(conn, payment), event)
    at = context.clock.wall_now()
    if not await provider_events.insert_event(conn, event, decision, body=body, at=at):
        return await _told_before(conn, context, event)
    await _apply(conn, context, event, decision=decision, payment=payment)
    return decision.action.value


async def review(
    conn: AsyncConnection, context: Context, event: ProviderEvent, *, reason: str
) -> None:
    """Ask a person to look at an event."""
    await ask_review(
        conn,
        Review(
            review_id=new_id(),
            provider=event.provider,
            event_id=event.event_id,
            order_id=event.order_id,
            reason=reason,
            detail=f"{event.fact} {event.txn_id} {event.amount_micro} {event.currency}",
            raised_at=context.clock.wall_now(),
        ),
    )


async def ask_review(conn: AsyncConnection, found: Review) -> None:
    await provider_events.insert_review(conn, found)


async def _lock_order(conn: AsyncConnection, event: ProviderEvent) -> Payment | None:
    if event.order_id is None:
        return None
    payment = await payments.lock(conn, event.order_id)
    return payment if payment and payment.provider == event.provider else None


async def _order(conn: AsyncConnection, payment: Payment | None) -> Order | None:
    if payment is None:
        return None
    account = await accounts.find(conn, payment.account_id)
    return Order(
        state=payment.state,
        amount_micro=payment.amount_micro,
        currency=payment.currency,
        txn_id=payment.reference,
        account_open=account is not None and account.open,
    )


async def _told_before(conn: AsyncConnection, context: Context, event: ProviderEvent) -> str:
    """A repetition is harmless unless it says something else under the same name."""
    for kept in await provider_events.find_same(conn, event):
        if _content(kept) != _content(event):
            await review(conn, context, event, reason="repeated_differently")
            return Action.REVIEW.value
    return DUPLICATE


def _content(event: ProviderEvent) -> tuple[object, ...]:
    return (event.fact, event.order_id, event.txn_id, event.amount_micro, event.currency)


async def _apply(
    conn: AsyncConnection,
    context: Context,
    event: ProviderEvent,
    *,
    decision: Decision,
    payment: Payment | None,
) -> None:
    if decision.action is Action.REVIEW:
        await review(conn, context, event, reason=decision.reason)
    if decision.action is Action.SUSPEND:
        await _suspend(conn, context, event, reason=decision.reason, payment=payment)
    if payment is None or decision.state is None:
        return
    if decision.action is Action.SETTLE:
        await _settle(conn, context, event, payment=payment)
    elif decision.state is State.REVERSED:
        await _reverse(conn, context, event, decision=decision, payment=payment)
    else:
        failure_code = decision.reason or event.fact.value
        await payments.move(conn, payment.payment_id, decision.state, failure_code=failure_code)
    await checkouts.ask_no_more(conn, payment.payment_id)


def _money(event: ProviderEvent) -> Money:
    assert event.txn_id is not None, "adapters name every movement of money"
    return Money(event.amount_micro, event.currency, event.source, event.txn_id)


async def _settle(
    conn: AsyncConnection, context: Context, event: ProviderEvent, *, payment: Payment
) -> None:
    money, now = _money(event), context.clock.now()
    await receive(conn, money, at=now)
    await payments.mark_settled(conn, payment.payment_id, reference=money.reference, at=now)
    await tell_settled(
        conn, money, payment_id=payment.payment_id, account_id=payment.account_id, at=now
    )


async def _reverse(
    conn: AsyncConnection,
    context: Context,
    heard: ProviderEvent,
    *,
    decision: Decision,
    payment: Payment,
) -> None:
    """Told to the ledger only if the settlement was: before it, there is nothing to take back."""
    reversal_id, now = new_id(), context.clock.now()
    reason = CHARGEBACK if heard.chargeback else "refunded_by_provider"
    await payments.mark_reversed(
        conn, payment.payment_id, reversal_id=reversal_id, reason=reason, at=now
    )
    metrics.PAYMENTS.labels(source=payment.source, state=State.REVERSED).inc()
    if decision.action is Action.REVERSE:
        event = to_payment_reversed(payment, reversal_id=reversal_id, reason=reason, at=now)
        await outbox.publish(conn, event, subject=str(payment.account_id))


async def _suspend(
    conn: AsyncConnection,
    context: Context,
    event: ProviderEvent,
    *,
    reason: str,
    payment: Payment | None,
) -> None:
    money, now = _money(event), context.clock.now()
    await receive(conn, money, at=now)
    await set_aside(
        conn,
        money,
        account_given=str(payment.account_id) if payment else "",
        order_id=event.order_id,
        reason=reason,
        at=now,
        by=event.provider,
    )


async def hear_unreadable(
    conn: AsyncConnection, context: Context, *, provider: str, event_id: str, body: bytes
) -> str:
    """Signed, but in no form we know: its beginning is kept for a person to read."""
    await ask_review(
        conn,
        Review(
            review_id=new_id(),
            provider=provider,
            event_id=event_id,
            order_id=None,
            reason="unreadable",
            detail=body[:KEPT_BYTES].decode(errors="replace").replace("\0", "\ufffd"),
            raised_at=context.clock.wall_now(),
        ),
    )
    return Action.REVIEW.value
