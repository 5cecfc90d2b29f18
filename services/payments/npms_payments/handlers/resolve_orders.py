"""Orders whose provider has not told us an outcome are asked about, ever more rarely."""

import asyncio
from uuid import UUID

import structlog

from npms_payments.domain.lifecycle import UNFINISHED, Fact, State, query_delay
from npms_payments.handlers.context import Context
from npms_payments.handlers.hear_provider import hear_event
from npms_payments.handlers.order_top_up import find_provider, learn, show_order
from npms_payments.providers.base import Answer, ProviderUnreachable
from npms_payments.storage import checkouts
from npms_shared.loops import wait_or_stop

AT_ONCE = 10
LOOK_EVERY_S = 1.0

log = structlog.get_logger()


async def resolve_forever(context: Context, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        if await resolve_due(context) < AT_ONCE:
            await wait_or_stop(stopping, LOOK_EVERY_S)


async def resolve_due(context: Context) -> int:
    """Ask about the orders that are due; returns how many there were."""
    async with context.database.connect() as conn:
        due = await checkouts.find_due(conn, at=context.clock.wall_now(), limit=AT_ONCE)
    await asyncio.gather(*(_resolve(context, order_id) for order_id in due))
    return len(due)


async def _resolve(context: Context, order_id: UUID) -> None:
    lapsed = await _take(context, order_id)
    if lapsed is None:
        return
    order = await show_order(context, order_id)
    provider = find_provider(context, order.provider or "")
    try:
        answer = await provider.ask(order_id)
    except ProviderUnreachable as fault:
        log.warning("provider_unreachable", provider=provider.name, fault=str(fault))
        return
    if answer is not None:
        await _apply(context, order_id, answer, lapsed=lapsed)
    elif order.state in UNFINISHED - {State.PENDING}:
        await learn(context, order_id, Fact.FAILED, failure_code="never_opened")
    elif lapsed:
        await learn(context, order_id, Fact.EXPIRED, failure_code="not_paid_in_time")


async def _take(context: Context, order_id: UUID) -> bool | None:
    """Claim this question: whether the order's time is up, None when another process asks."""
    now = context.clock.wall_now()
    async with context.database.transaction() as conn:
        taken = await checkouts.take_query(conn, order_id, at=now)
        if taken is None:
            return None
        queries, expires_at = taken
        next_at = now + query_delay(queries)
        await checkouts.save_query(conn, order_id, queries=queries + 1, query_at=next_at)
    return now >= expires_at


async def _apply(context: Context, order_id: UUID, answer: Answer, *, lapsed: bool) -> None:
    if answer.event is not None:
        async with context.database.transaction() as conn:
            outcome = await hear_event(conn, context, answer.event, body=answer.body)
        log.info("order_resolved", order_id=str(order_id), outcome=outcome)
        return
    await learn(context, order_id, Fact.OPENED, opened=answer.opened)
    if lapsed:
        await learn(context, order_id, Fact.EXPIRED, failure_code="not_paid_in_time")
