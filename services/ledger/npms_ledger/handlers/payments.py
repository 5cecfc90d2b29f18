"""Payments become credit, and credit is taken back: each payment once, in whatever order heard."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.journal import clearing
from npms_ledger.domain.position import Bucket, Posted, PostingKind
from npms_ledger.domain.waterfall import ACCUMULATED
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.handlers.take_back import lock_holders, take_back
from npms_ledger.storage import payments
from npms_shared.contracts.ledger import CreditPosted
from npms_shared.contracts.payments import PaymentReversed, PaymentSettled
from npms_shared.messaging import outbox
from npms_shared.messaging.subscriptions import Unprocessable


async def credit_payment(conn: AsyncConnection, event: PaymentSettled, now: datetime) -> None:
    """Run a settled payment through the waterfall of its account.

    Raises Unprocessable: unknown_account, currency_mismatch, not_positive, payment_differs.
    """
    account = await _take(conn, event)
    payment = await _lock(conn, event, reference=event.reference)
    if payment.settled_at is not None:
        return
    journal_id = None
    if payment.reversed_at is None:
        posted = account.top_up(event.amount_micro, now)
        journal_id = await books.put_back_one(
            conn,
            account,
            kind="top_up",
            now=now,
            counterparts={clearing(event.source): -event.amount_micro},
            payment_id=event.payment_id,
            cause=Cause("payment", payment_id=event.payment_id, settled_at=event.settled_at),
        )
        await _say_credited(conn, event, account=account, posted=posted, now=now)
    await payments.settle(
        conn,
        event.payment_id,
        settled_at=event.settled_at,
        journal_id=journal_id,
        reference=event.reference,
    )


async def reverse_payment(conn: AsyncConnection, event: PaymentReversed, now: datetime) -> None:
    """Take a credited payment back; one never credited is only noted, and never will be.

    Raises Unprocessable: unknown_account, currency_mismatch, not_positive, payment_differs.
    """
    await lock_holders(conn, event)
    account = await _take(conn, event)
    payment = await _lock(conn, event, reference="")
    if payment.reversed_at is not None:
        return
    journal_id = None
    if payment.settled_at is not None:
        journal_id = await take_back(conn, account, event, now)
    await payments.reverse(
        conn,
        event.payment_id,
        reversal_id=event.reversal_id,
        reversed_at=event.reversed_at,
        reason=event.reason,
        journal_id=journal_id,
    )


async def _take(conn: AsyncConnection, event: PaymentSettled | PaymentReversed) -> Account:
    if event.amount_micro <= 0:
        raise Unprocessable("not_positive", f"amount is {event.amount_micro}")
    try:
        account = await books.take(conn, event.account_id)
    except AccountUnknown as fault:
        raise Unprocessable("unknown_account", str(fault)) from None
    if account.currency != event.currency:
        raise Unprocessable(
            "currency_mismatch", f"{event.currency} for an account in {account.currency}"
        )
    return account


async def _lock(
    conn: AsyncConnection, event: PaymentSettled | PaymentReversed, *, reference: str
) -> Row[Any]:
    payment = await payments.lock(
        conn,
        event.payment_id,
        account_id=event.account_id,
        amount_micro=event.amount_micro,
        currency=event.currency,
        source=event.source,
        reference=reference,
    )
    said = (event.account_id, event.amount_micro, event.currency, event.source)
    known = (payment.account_id, payment.amount_micro, payment.currency, payment.source)
    if said != known:
        raise Unprocessable("payment_differs", f"{_named(event.payment_id)}: {said} was {known}")
    return payment


def _named(payment_id: UUID) -> str:
    return f"payment {payment_id}"


async def _say_credited(
    conn: AsyncConnection,
    event: PaymentSettled,
    *,
    account: Account,
    posted: Posted,
    now: datetime,
) -> None:
    to_charges_micro = -posted.of_kind(PostingKind.VEND_CHARGE)
    credited = CreditPosted(
        account_id=account.account_id,
        payment_id=event.payment_id,
        source=event.source,
        currency=account.currency,
        amount_micro=event.amount_micro,
        to_debt_micro=posted.parts(Bucket.DEBT),
        to_emergency_micro=posted.parts(Bucket.EMERGENCY),
        to_balance_micro=posted.parts(Bucket.BALANCE) + to_charges_micro,
        balance_micro=account.position.balance_micro,
        debt_micro=account.position.debt_micro,
        emergency_used_micro=account.position.emergency_used_micro,
        posted_at=now,
        to_charges_micro=to_charges_micro,
        to_accumulated_micro=posted.labelled(Bucket.BALANCE, ACCUMULATED),
    )
    await outbox.publish(conn, credited, subject=str(account.account_id))
