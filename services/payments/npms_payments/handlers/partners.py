"""What a partner may sell in a day: bounded in the transaction that sells."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments import metrics
from npms_payments.domain.errors import PartnerLimitReached
from npms_payments.domain.partner_limits import PartnerDay, day_of
from npms_payments.domain.records import Money
from npms_payments.handlers.context import Context
from npms_payments.storage import partners
from npms_shared.money import MICRO


async def count_sale(conn: AsyncConnection, context: Context, money: Money, now: datetime) -> None:
    """Sales of one partner, also of different tills, go one after the other.

    Raises PartnerLimitReached.
    """
    partner_id, currency, day = money.issuer, money.currency, day_of(now)
    sold_micro = await partners.lock_sold(conn, partner_id, currency, day)
    try:
        (await _day(conn, context, partner_id, currency, sold_micro)).check(money.amount_micro)
    except PartnerLimitReached:
        metrics.PARTNER_REFUSED.labels(partner=partner_id).inc()
        raise
    await partners.add_sold(conn, partner_id, currency, day, amount_micro=money.amount_micro)


def note_sold(money: Money) -> None:
    """For whoever watches what partners sell."""
    units = money.amount_micro / MICRO
    metrics.PARTNER_SOLD.labels(partner=money.issuer, currency=money.currency).inc(units)


async def show_day(
    conn: AsyncConnection, context: Context, partner_id: str, currency: str
) -> PartnerDay:
    """Today of any partner: there is no list of them, their tokens name them."""
    day = day_of(context.clock.now())
    sold_micro = await partners.sold(conn, partner_id, currency, day)
    return await _day(conn, context, partner_id, currency, sold_micro)


async def set_limit(
    conn: AsyncConnection,
    context: Context,
    partner_id: str,
    *,
    currency: str,
    day_limit_micro: int,
    reason: str,
    by: str,
) -> PartnerDay:
    """From now on, also for what is left of today."""
    await partners.set_day_limit(
        conn,
        partner_id,
        currency,
        day_limit_micro=day_limit_micro,
        reason=reason,
        at=context.clock.now(),
        by=by,
    )
    return await show_day(conn, context, partner_id, currency)


async def _day(
    conn: AsyncConnection, context: Context, partner_id: str, currency: str, sold_micro: int
) -> PartnerDay:
    own_micro = await partners.day_limit(conn, partner_id, currency)
    if own_micro is None:
        own_micro = context.policy.partner_day_limits.of(currency)
    return PartnerDay(own_micro, sold_micro)
