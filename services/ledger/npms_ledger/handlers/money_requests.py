"""Two people: a little moves at once, more when somebody else agrees.

A reallocation, and what is granted anew each month, always need the second person.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.handlers import audit_facts, move_money
from npms_ledger.handlers.look import owner_of
from npms_ledger.handlers.money_errors import (
    NotMovable,
    PaymentUnknown,
    RequestUnknown,
)
from npms_ledger.handlers.move_money import Moved
from npms_ledger.storage import money_requests, payments
from npms_shared.actor import Actor
from npms_shared.db import audit_trail
from npms_shared.db.moved_alone import move_alone
from npms_shared.ids import new_id
from npms_shared.money import AmountsByCurrency


@dataclass(frozen=True, slots=True)
class MoneyRequest:
    """`amount_micro` is signed for a fix; a transfer and a reallocation have `to_account_id`, a
    grant its `terms`.
    """

    kind: str
    account_id: int
    amount_micro: int
    currency: str
    reason: str
    to_account_id: int | None = None
    payment_id: UUID | None = None
    terms: dict[str, Any] | None = None


async def alone(
    conn: AsyncConnection,
    asked: MoneyRequest,
    *,
    by: Actor,
    limits: AmountsByCurrency,
    now: datetime,
) -> bool:
    """Whether one person may do it without a second; if so it counts for a day."""
    return await move_alone(
        conn,
        by.subject,
        asked.amount_micro,
        asked.currency,
        what=f"{asked.kind} of account {asked.account_id}",
        limits=limits,
        now=now,
    )


async def request_fix(
    conn: AsyncConnection,
    asked: MoneyRequest,
    *,
    by: Actor,
    limits: AmountsByCurrency,
    now: datetime,
) -> Row[Any]:
    """Put a balance right, or ask somebody to agree to it.

    Raises AccountUnknown, AccountIsClosed, CurrencyMismatch.
    """
    account = await move_money.take_open(conn, asked.account_id, currency=asked.currency)
    if not await alone(conn, asked, by=by, limits=limits, now=now):
        return await ask(conn, asked, by=by, now=now)
    request_id = await _add(conn, asked, by=by, now=now)
    before = audit_facts.money_of(account)
    moved = await move_money.fix_balance(conn, account, amount_micro=asked.amount_micro, now=now)
    await _posted_alone(conn, request_id, moved, now)
    await note(conn, by, "money_fix_posted", asked, now=now, before=before, account=account)
    return await show_request(conn, request_id)


async def request_transfer(
    conn: AsyncConnection,
    asked: MoneyRequest,
    *,
    by: Actor,
    limits: AmountsByCurrency,
    now: datetime,
) -> Row[Any]:
    """Move credit at once between accounts of one customer, or a small amount; else ask.

    Raises SameAccount, AccountUnknown, AccountIsClosed, CurrencyMismatch, NotEnoughCredit.
    """
    assert asked.to_account_id is not None
    source, target = await move_money.take_pair(
        conn, asked.account_id, asked.to_account_id, currency=asked.currency
    )
    await move_money.check_movable(conn, source, asked.amount_micro, now)
    owners = {await owner_of(conn, one.account_id) for one in (source, target)}
    if len(owners) > 1 and not await alone(conn, asked, by=by, limits=limits, now=now):
        return await ask(conn, asked, by=by, now=now)
    request_id = await _add(conn, asked, by=by, now=now)
    before = audit_facts.money_of(source)
    moved = await move_money.transfer(
        conn, source, target, amount_micro=asked.amount_micro, now=now
    )
    await _posted_alone(conn, request_id, moved, now)
    await note(conn, by, "transfer_posted", asked, now=now, before=before, account=source)
    return await show_request(conn, request_id)


async def request_reallocation(
    conn: AsyncConnection,
    payment_id: UUID,
    *,
    to_account_id: int,
    reason: str,
    by: Actor,
    now: datetime,
) -> Row[Any]:
    """Ask to move what is left of a payment that went to the wrong account, or to a closed one.

    Raises PaymentUnknown, NotMovable, and what take_pair raises.
    """
    found = await payments.find(conn, payment_id)
    if found is None:
        raise PaymentUnknown(payment_id)
    source, _ = await move_money.take_pair(conn, found.account_id, to_account_id, from_closed=True)
    payment = await move_money.lock_movable_payment(conn, payment_id)
    if await money_requests.of_payment(conn, payment_id) is not None:
        raise NotMovable("already_reallocated", payment_id)
    asked = MoneyRequest(
        kind="reallocation",
        account_id=source.account_id,
        to_account_id=to_account_id,
        payment_id=payment_id,
        amount_micro=await move_money.unspent_micro(conn, payment, source),
        currency=source.currency,
        reason=reason,
    )
    return await ask(conn, asked, by=by, now=now)


async def ask(conn: AsyncConnection, asked: MoneyRequest, *, by: Actor, now: datetime) -> Row[Any]:
    """Put it before a second person."""
    request_id = await _add(conn, asked, by=by, now=now)
    await note(conn, by, f"{asked.kind}_requested", asked, now=now)
    return await show_request(conn, request_id)


async def show_request(conn: AsyncConnection, request_id: UUID) -> Row[Any]:
    """Raises RequestUnknown."""
    request = await money_requests.find(conn, request_id)
    if request is None:
        raise RequestUnknown(request_id)
    return request


async def list_requests(
    conn: AsyncConnection,
    *,
    after: UUID | None,
    limit: int,
    state: str | None,
    account_id: int | None,
) -> Sequence[Row[Any]]:
    return await money_requests.page(
        conn, after=after, limit=limit, state=state, account_id=account_id
    )


async def _add(conn: AsyncConnection, asked: MoneyRequest, *, by: Actor, now: datetime) -> UUID:
    request_id = new_id()
    await money_requests.add(
        conn,
        {
            "request_id": request_id,
            "kind": asked.kind,
            "account_id": asked.account_id,
            "to_account_id": asked.to_account_id,
            "payment_id": asked.payment_id,
            "amount_micro": asked.amount_micro,
            "currency": asked.currency,
            "reason": asked.reason,
            "terms": asked.terms,
            "requested_by": by.subject,
            "requested_at": now,
        },
    )
    return request_id


async def _posted_alone(
    conn: AsyncConnection, request_id: UUID, moved: Moved, now: datetime
) -> None:
    await money_requests.mark_posted(
        conn, request_id, journal_id=moved[0], moved_micro=moved[1], now=now
    )


async def note(
    conn: AsyncConnection,
    by: Actor,
    action: str,
    asked: MoneyRequest,
    *,
    now: datetime,
    before: audit_trail.Facts | None = None,
    account: Account | None = None,
) -> None:
    """Keep in the audit trail what was asked or done."""
    after: audit_trail.Facts = {"amount_micro": asked.amount_micro, "currency": asked.currency}
    if asked.to_account_id is not None:
        after["to_account_id"] = asked.to_account_id
    if asked.payment_id is not None:
        after["payment_id"] = str(asked.payment_id)
    if asked.terms is not None:
        after["terms"] = asked.terms
    if account is not None:
        after |= audit_facts.money_of(account)
    await audit_trail.note(
        conn,
        by,
        action,
        subject=audit_facts.of_account(asked.account_id),
        now=now,
        reason=asked.reason,
        before=before,
        after=after,
    )
