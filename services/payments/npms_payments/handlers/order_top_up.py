"""A top-up order: written down first, then opened at its provider, outside of any transaction.

Whatever happens to the call, the order is there, and resolve_orders.py asks the provider later.
"""

from dataclasses import dataclass
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.amounts import check_amount, check_currency
from npms_payments.domain.errors import ProviderUnknown
from npms_payments.domain.lifecycle import Fact, State, Verdict, step
from npms_payments.domain.records import Money, Payment
from npms_payments.handlers.accounts import find_open_account
from npms_payments.handlers.context import Context
from npms_payments.handlers.read import find_payment
from npms_payments.handlers.vend_limits import check_limits
from npms_payments.providers.base import CheckoutRefused, Opened, Provider, ProviderUnreachable
from npms_payments.storage import checkouts, payments
from npms_shared.ids import new_id

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class OrderTopUp:
    account_id: int
    amount_micro: int
    currency: str
    provider: str
    by: str


async def write_order(conn: AsyncConnection, context: Context, command: OrderTopUp) -> UUID:
    """Raises ProviderUnknown, AmountRefused, AccountUnknown, AccountIsClosed, WrongCurrency,
    VendRefused.
    """
    find_provider(context, command.provider)
    check_amount(command.amount_micro, limit_micro=context.policy.max_payment_micro)
    account, currency = await find_open_account(conn, command.account_id)
    check_currency(command.currency, expected=currency)
    await check_limits(conn, account, command.amount_micro)
    order_id, wall = new_id(), context.clock.wall_now()
    money = Money(command.amount_micro, currency, f"online:{command.provider}", "")
    await payments.insert_payment(
        conn,
        payment_id=order_id,
        account_id=command.account_id,
        money=money,
        state=State.CREATED,
        at=context.clock.now(),
        by=command.by,
    )
    await checkouts.insert_checkout(
        conn,
        order_id,
        provider=command.provider,
        query_at=wall + context.policy.first_query,
        expires_at=wall + context.policy.order_lifetime,
    )
    return order_id


async def open_order(context: Context, order_id: UUID) -> None:
    """Ask the provider for a checkout and note what came of it."""
    async with context.database.connect() as conn:
        order = await find_payment(conn, order_id)
    provider = find_provider(context, order.provider or "")
    try:
        opened = await provider.open_checkout(
            order_id, amount_micro=order.amount_micro, currency=order.currency
        )
    except ProviderUnreachable as fault:
        log.warning("provider_unreachable", provider=provider.name, fault=str(fault))
        await learn(context, order_id, Fact.UNANSWERED)
    except CheckoutRefused as fault:
        await learn(context, order_id, Fact.FAILED, failure_code=fault.code)
    else:
        await learn(context, order_id, Fact.OPENED, opened=opened)


async def learn(
    context: Context,
    order_id: UUID,
    fact: Fact,
    *,
    opened: Opened | None = None,
    failure_code: str | None = None,
) -> None:
    """Apply a fact without money to an order; a webhook may have been faster."""
    async with context.database.transaction() as conn:
        order = await payments.lock(conn, order_id)
        assert order is not None
        if opened is not None and order.provider_ref is None:
            await checkouts.save_opened(
                conn, order_id, provider_ref=opened.provider_ref, checkout_url=opened.checkout_url
            )
        taken = step(order.state, fact)
        if taken.verdict is Verdict.MOVES:
            await payments.move(conn, order_id, taken.state, failure_code=failure_code)
        if taken.state in {State.FAILED, State.EXPIRED}:
            await checkouts.ask_no_more(conn, order_id)


def find_provider(context: Context, name: str) -> Provider:
    found = context.providers.get(name)
    if found is None:
        raise ProviderUnknown(name)
    return found


async def show_order(context: Context, order_id: UUID) -> Payment:
    async with context.database.connect() as conn:
        return await find_payment(conn, order_id)
