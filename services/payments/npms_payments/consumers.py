"""What payments hears: event in, command out."""

from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.handlers.accounts import note_closed, note_limits, note_opened
from npms_payments.handlers.confirm_credit import Credit, CreditMisfit, confirm_credit
from npms_payments.handlers.context import Context
from npms_payments.handlers.late_opening import take_up_waiting
from npms_shared.contracts.ledger import AccountClosed, AccountOpened, CreditPosted, VendLimitsSet
from npms_shared.messaging.subscriptions import (
    EventSubscription,
    Meta,
    Subscription,
    Unprocessable,
)


def subscriptions(context: Context) -> list[Subscription]:
    async def hear_credit(conn: AsyncConnection, event: CreditPosted, _meta: Meta) -> None:
        try:
            await confirm_credit(conn, context, _to_credit(event))
        except CreditMisfit as fault:
            raise Unprocessable(fault.code, str(fault)) from None

    async def hear_account(conn: AsyncConnection, event: Any, _meta: Meta) -> None:
        await _note(conn, event)
        if isinstance(event, AccountOpened):
            await take_up_waiting(
                conn, event.account_id, opened_at=event.opened_at, now=context.clock.now()
            )

    return [
        EventSubscription(
            "payments.accounts", (AccountOpened, AccountClosed, VendLimitsSet), hear_account
        ),
        EventSubscription("payments.credits", (CreditPosted,), hear_credit),
    ]


async def _note(conn: AsyncConnection, event: Any) -> None:
    match event:
        case AccountOpened():
            await note_opened(
                conn,
                account_id=event.account_id,
                customer_id=event.customer_id,
                currency=event.currency,
                opened_at=event.opened_at,
            )
        case AccountClosed():
            await note_closed(conn, account_id=event.account_id, closed_at=event.closed_at)
        case VendLimitsSet():
            await note_limits(
                conn,
                account_id=event.account_id,
                minimum_micro=event.minimum_micro,
                maximum_micro=event.maximum_micro,
                max_balance_micro=event.max_balance_micro,
                balance_micro=event.balance_micro,
                set_at=event.set_at,
            )


def _to_credit(event: CreditPosted) -> Credit:
    return Credit(
        payment_id=event.payment_id,
        account_id=event.account_id,
        amount_micro=event.amount_micro,
        to_debt_micro=event.to_debt_micro,
        to_emergency_micro=event.to_emergency_micro,
        to_balance_micro=event.to_balance_micro,
        balance_after_micro=event.balance_micro,
        posted_at=event.posted_at,
    )
