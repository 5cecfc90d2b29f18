"""What a provider tells is kept once, judged by the domain, and applied in one transaction."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.lifecycle import Fact, State
from npms_payments.domain.provider_events import (
    Action,
    Decision,
    Order,
    ProviderEvent,
    decide,
)
from npms_payments.domain.records import Money, Payment, Review, Suspended
from npms_payments.handlers.allocate_suspense import find_item
from npms_payments.handlers.context import Context
from npms_payments.handlers.money_back import (
    Named,
    find_named,
    return_item,
    reverse_payment,
    was_taken_back,
)
from npms_payments.handlers.settle import receive, set_aside, tell_settled
from npms_payments.storage import accounts, checkouts, payments, provider_events
from npms_shared.ids import new_id

DUPLICATE = "duplicate"
KEPT_BYTES = 4_000
_SET_ASIDE = (Action.SUSPEND, Action.RETURN)


async def hear_event(
    conn: AsyncConnection, context: Context, event: ProviderEvent, *, body: bytes
) -> str:
    """What became of the event: `duplicate`, or the name of a provider_events.Action."""
    payment = await _lock_order(conn, event)
    named = await find_named(conn, event, payment)
    decision = decide(
        await _order(conn, payment),
        event,
        held=named.held if named else None,
        taken_back=await was_taken_back(conn, event),
    )
    at = context.clock.wall_now()
    if not await provider_events.insert_event(conn, event, decision, body=body, at=at):
        return await _told_before(conn, context, event)
    await _apply(conn, context, event, decision=decision, payment=payment)
    if named is not None:
        await _take_back(conn, context, event, decision=decision, named=named)
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
        txn_id=await _moved_by(conn, payment),
        account_open=account is not None and account.open,
    )


async def _moved_by(conn: AsyncConnection, payment: Payment) -> str | None:
    if payment.reference is None and payment.state is State.REVERSED:
        return await provider_events.reversed_txn(conn, payment.payment_id)
    return payment.reference


async def _told_before(conn: AsyncConnection, context: Context, event: ProviderEvent) -> str:
    """A repetition is harmless unless it says something else under the same name."""
    for kept in await provider_events.find_same(conn, event):
        if _content(kept) != _content(event):
            await review(conn, context, event, reason="repeated_differently")
            return Action.REVIEW.value
    return DUPLICATE


def _content(event: ProviderEvent) -> tuple[object, ...]:
    money = (event.txn_id, event.of_txn_id, event.amount_micro, event.currency)
    return (event.fact, event.order_id, *money)


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
    if decision.action in _SET_ASIDE and event.fact is Fact.SUCCEEDED:
        item = await _suspend(conn, context, event, reason=decision.reason, payment=payment)
        if decision.action is Action.RETURN:
            await return_item(conn, context, event, item)
    if payment is None or decision.state is None:
        return
    if decision.action is Action.SETTLE:
        await _settle(conn, context, event, payment=payment)
    elif decision.state is State.REVERSED:
        await reverse_payment(conn, context, event, payment)
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


async def _take_back(
    conn: AsyncConnection,
    context: Context,
    event: ProviderEvent,
    *,
    decision: Decision,
    named: Named,
) -> None:
    if decision.action is Action.REVERSE and named.payment is not None:
        await reverse_payment(conn, context, event, named.payment)
    if decision.action is Action.RETURN and named.item is not None:
        await return_item(conn, context, event, named.item)


async def _suspend(
    conn: AsyncConnection,
    context: Context,
    event: ProviderEvent,
    *,
    reason: str,
    payment: Payment | None,
) -> Suspended:
    money, now = _money(event), context.clock.now()
    await receive(conn, money, at=now)
    suspense_id = await set_aside(
        conn,
        money,
        account_given=str(payment.account_id) if payment else "",
        order_id=event.order_id,
        reason=reason,
        at=now,
        by=event.provider,
    )
    return await find_item(conn, suspense_id)


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
