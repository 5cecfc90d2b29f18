"""Somebody leaves: final reading, final charge, refund of what remains, once.

From then on the account is *leaving*: its supply is off for good and nothing is sold to it. It is
*closed* when nothing of it is owed either way and nothing is still to be charged: at the refund, or
with the end of rating if there is nothing to refund.
"""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain import moves
from npms_ledger.domain.account import Account
from npms_ledger.domain.journal import SystemAccount
from npms_ledger.domain.seal import account_chain
from npms_ledger.handlers import audit_facts, books, journals
from npms_ledger.handlers.causes import Cause
from npms_ledger.handlers.close_installations import close_all, close_settled
from npms_ledger.handlers.installation_errors import (
    FinalChargePending,
    NotRefundable,
    RefundPaidBefore,
    RefundUnknown,
)
from npms_ledger.handlers.journals import Journal
from npms_ledger.handlers.move_money import take_open
from npms_ledger.handlers.swap_meter import lock_installation
from npms_ledger.storage import installations, payments, refunds
from npms_shared.actor import Actor
from npms_shared.approval import Approval
from npms_shared.contracts.ledger import AccountClosed
from npms_shared.db import audit_trail
from npms_shared.ids import new_id
from npms_shared.messaging import outbox


async def move_out(
    conn: AsyncConnection,
    account_id: int,
    *,
    registers_wh: dict[int, int],
    reason: str,
    by: Actor,
    now: datetime,
) -> Account:
    """Close every installation at its final register; without one at what was last billed. Where
    rating has come further, or comes further before it hears of it, it ends there.

    Raises AccountUnknown, AccountIsClosed, InstallationUnknown, InstallationIsClosed,
    RegisterBelowBilled.
    """
    account = await take_open(conn, account_id)
    before = audit_facts.money_of(account)
    account.close(now)
    cause = Cause("person", subject=by.subject)
    await books.put_back_one(conn, account, kind="closing", now=now, cause=cause)
    await installations.mark_leaving(conn, account_id, now)
    for installation_id in registers_wh:
        await lock_installation(conn, account_id, installation_id)
    asked = await close_all(conn, account_id, registers_wh, now)
    await close_settled(conn, [account_id], now)
    event = AccountClosed(account_id=account_id, closed_at=now)
    await outbox.publish(conn, event, subject=str(account_id))
    await audit_trail.note(
        conn,
        by,
        "moved_out",
        subject=audit_facts.of_account(account_id),
        now=now,
        reason=reason,
        before=before,
        after={"registers_wh": {str(one): register for one, register in asked.items()}},
    )
    return account


async def request_refund(
    conn: AsyncConnection, account_id: int, *, payee: str, reason: str, by: Actor, now: datetime
) -> Row[Any]:
    """What remains of what was paid becomes payable, and again what comes after that; debt and
    emergency credit are settled from it first.

    Raises AccountUnknown, NotRefundable, FinalChargePending.
    """
    account = await books.take(conn, account_id)
    if not account.position.closed:
        raise NotRefundable("account_open", account_id)
    pending = await installations.unbilled(conn, account_id)
    if pending is not None:
        raise FinalChargePending(pending)
    paid = await payments.paid_in(conn, account_id)
    payable = moves.refundable_micro(account.position, paid_micro=paid)
    if not payable:
        before = await refunds.of_account(conn, account_id)
        raise NotRefundable("refund_exists" if before else "nothing_to_refund", account_id)
    return await _make_payable(conn, account, payable, payee=payee, reason=reason, by=by, now=now)


async def _make_payable(
    conn: AsyncConnection,
    account: Account,
    payable: int,
    *,
    payee: str,
    reason: str,
    by: Actor,
    now: datetime,
) -> Row[Any]:
    """What nobody paid for goes back to where it was given from."""
    before, given = audit_facts.money_of(account), moves.own_micro(account.position) - payable
    account.move(moves.fix(account.position, -given), now)
    account.move(moves.clear(account.position), now)
    journal_id = await books.put_back_one(
        conn,
        account,
        kind="refund",
        now=now,
        counterparts={
            SystemAccount.REFUNDS_PAYABLE.value: payable,
            SystemAccount.MONEY_FIXES.value: given,
        },
    )
    refund_id = new_id()
    await refunds.add(
        conn,
        {
            "refund_id": refund_id,
            "account_id": account.account_id,
            "amount_micro": payable,
            "currency": account.currency,
            "payee": payee,
            "reason": reason,
            "journal_id": journal_id,
            "requested_by": by.subject,
            "requested_at": now,
        },
    )
    await installations.mark_closed(conn, account.account_id, now)
    await audit_trail.note(
        conn,
        by,
        "refund_requested",
        subject=audit_facts.of_account(account.account_id),
        now=now,
        reason=reason,
        before=before,
        after={"refund_id": str(refund_id), "amount_micro": payable, "payee": payee},
    )
    return await _lock(conn, refund_id)


async def pay_refund(
    conn: AsyncConnection, refund_id: UUID, *, reference: str, by: Actor, seen: str, now: datetime
) -> Row[Any]:
    """Another person has paid it out.

    Raises RefundUnknown, RefundPaidBefore, SecondPersonRequired, ReviewedChanged.
    """
    refund = await _lock(conn, refund_id)
    if refund.state == "paid":
        raise RefundPaidBefore(refund.reference)
    Approval(by.subject, seen).check(hands=[refund.requested_by], reviewed=refund._mapping)
    journal = _paid_out(refund, now)
    await journals.write(conn, journal)
    await refunds.mark_paid(
        conn,
        refund_id,
        reference=reference,
        paid_by=by.subject,
        journal_id=journal.journal_id,
        now=now,
    )
    await audit_trail.note(
        conn,
        by,
        "refund_paid",
        subject=audit_facts.of_account(refund.account_id),
        now=now,
        after={
            "refund_id": str(refund_id),
            "reference": reference,
            "requested_by": refund.requested_by,
        },
    )
    return await _lock(conn, refund_id)


def _paid_out(refund: Row[Any], now: datetime) -> Journal:
    """We owe the customer no more; the money left by the account of refunds."""
    return Journal(
        kind="refund_paid",
        posted_at=now,
        chain=account_chain(refund.account_id),
        system=[
            (SystemAccount.REFUNDS_PAYABLE.value, refund.currency, -refund.amount_micro),
            (SystemAccount.REFUNDS_PAID.value, refund.currency, refund.amount_micro),
        ],
    )


async def show_refund(conn: AsyncConnection, refund_id: UUID) -> Row[Any]:
    """Raises RefundUnknown."""
    refund = await refunds.find(conn, refund_id)
    if refund is None:
        raise RefundUnknown(refund_id)
    return refund


async def list_refunds(
    conn: AsyncConnection, *, after: UUID | None, limit: int, state: str | None
) -> Any:
    """The newest first."""
    return await refunds.page(conn, after=after, limit=limit, state=state)


async def _lock(conn: AsyncConnection, refund_id: UUID) -> Row[Any]:
    refund = await refunds.lock(conn, refund_id)
    if refund is None:
        raise RefundUnknown(refund_id)
    return refund
