"""Taking a credited payment back: from the account that has it, or from both if it was moved."""

from datetime import datetime
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.domain.chargeback import grace_until
from npms_ledger.domain.journal import clearing
from npms_ledger.handlers import books
from npms_ledger.handlers.causes import cause_of
from npms_ledger.storage import keep_ons, money_requests, positions
from npms_shared.contracts.payments import CHARGEBACK, PaymentReversed
from npms_shared.ids import new_id


async def lock_holders(conn: AsyncConnection, event: PaymentReversed) -> None:
    """The accounts that a payment was credited and moved to, in the order of their ids."""
    moved = await money_requests.posted_of_payment(conn, event.payment_id)
    if moved is not None:
        await positions.lock(conn, [moved.account_id, moved.to_account_id])


async def take_back(
    conn: AsyncConnection, account: Account, event: PaymentReversed, now: datetime
) -> UUID:
    """One journal takes back what each holder got; returns its id.

    A reallocation needs the lock of the account that was paid, so that none comes in between.
    """
    parts = [(account, event.amount_micro)]
    moved = await money_requests.posted_of_payment(conn, event.payment_id)
    if moved is not None:
        other = await books.take(conn, moved.to_account_id)
        rest_micro = event.amount_micro - moved.moved_micro
        parts = [(account, rest_micro), (other, moved.moved_micro)]
    for one, amount_micro in parts:
        if event.reason == CHARGEBACK:
            await _give_grace(conn, one, event, amount_micro=amount_micro, now=now)
        one.reverse(amount_micro, now)
    holders = sorted((one for one, _ in parts), key=lambda one: one.account_id)
    journal = books.journal_of(
        holders,
        kind="reversal",
        now=now,
        counterparts={clearing(event.source): event.amount_micro},
        payment_id=event.payment_id,
    )
    cause = cause_of(event.payment_id)
    await books.put_back(conn, holders, journal=journal, now=now, cause=cause)
    return journal.journal_id


async def _give_grace(
    conn: AsyncConnection,
    account: Account,
    event: PaymentReversed,
    *,
    amount_micro: int,
    now: datetime,
) -> None:
    """Keep the supply on for the time that the policy gives; the customer is told with the rest."""
    position, policy = account.position, account.policy_at(now)
    until = grace_until(position, policy, amount_micro=amount_micro, now=now)
    if until is None:
        return
    await keep_ons.lift(conn, account.account_id, by=CHARGEBACK, now=now)
    await keep_ons.place(
        conn,
        new_id(),
        account_id=account.account_id,
        until=until,
        reason=f"grace after the chargeback of payment {event.payment_id}",
        by=CHARGEBACK,
        now=now,
    )
    account.keep_on(until, now)
