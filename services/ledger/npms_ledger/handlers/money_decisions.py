"""Money that somebody asked to move: posted by another's word, judged anew under locks; or not."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.domain.account import Account
from npms_ledger.handlers import audit_facts, grants, move_money
from npms_ledger.handlers.money_errors import RequestDecided, RequestUnknown
from npms_ledger.handlers.money_requests import show_request
from npms_ledger.handlers.move_money import Moved
from npms_ledger.storage import money_requests
from npms_shared.actor import Actor
from npms_shared.approval import Approval
from npms_shared.db import audit_trail


async def approve(
    conn: AsyncConnection,
    request_id: UUID,
    *,
    by: Actor,
    seen: str,
    reason: str,
    now: datetime,
) -> Row[Any]:
    """Post what somebody else asked for.

    Raises RequestUnknown, RequestDecided, SecondPersonRequired, ReviewedChanged, and what the
    posting refuses.
    """
    request = await _lock_undecided(conn, request_id)
    Approval(by.subject, seen).check(hands=[request.requested_by], reviewed=request._mapping)
    account, moved = await _POSTERS[request.kind](conn, request, now)
    await money_requests.mark_posted(
        conn,
        request_id,
        moved_micro=moved[1],
        journal_id=moved[0],
        now=now,
        decided_by=by.subject,
        decided_reason=reason,
    )
    posted = {"moved_micro": moved[1], "journal_id": str(moved[0]), **audit_facts.money_of(account)}
    await _note_decided(conn, request, "approved", by=by, reason=reason, now=now, more=posted)
    return await show_request(conn, request_id)


async def reject(
    conn: AsyncConnection, request_id: UUID, *, by: Actor, reason: str, now: datetime
) -> Row[Any]:
    """Move nothing; who asked for it takes it back so. Raises RequestUnknown, RequestDecided."""
    request = await _lock_undecided(conn, request_id)
    await money_requests.mark_rejected(
        conn, request_id, decided_by=by.subject, decided_reason=reason, now=now
    )
    await _note_decided(conn, request, "rejected", by=by, reason=reason, now=now, more={})
    return await show_request(conn, request_id)


async def _note_decided(
    conn: AsyncConnection,
    request: Row[Any],
    how: str,
    *,
    by: Actor,
    reason: str,
    now: datetime,
    more: audit_trail.Facts,
) -> None:
    asked = {"request_id": str(request.request_id), "requested_by": request.requested_by}
    await audit_trail.note(
        conn,
        by,
        f"{request.kind}_{how}",
        subject=audit_facts.of_account(request.account_id),
        now=now,
        reason=reason,
        after={**asked, **more},
    )


async def _lock_undecided(conn: AsyncConnection, request_id: UUID) -> Row[Any]:
    request = await money_requests.lock(conn, request_id)
    if request is None:
        raise RequestUnknown(request_id)
    if request.state != "requested":
        raise RequestDecided(request_id, request.state)
    return request


async def _post_fix(conn: AsyncConnection, request: Row[Any], now: datetime) -> "_Posted":
    account = await move_money.take_open(conn, request.account_id)
    moved = await move_money.fix_balance(conn, account, amount_micro=request.amount_micro, now=now)
    return account, moved


async def _post_opening(conn: AsyncConnection, request: Row[Any], now: datetime) -> "_Posted":
    account = await move_money.take_open(conn, request.account_id)
    moved = await move_money.add_opening_credit(
        conn, account, amount_micro=request.amount_micro, now=now
    )
    return account, moved


async def _post_grant(conn: AsyncConnection, request: Row[Any], now: datetime) -> "_Posted":
    new = grants.from_request(request.terms, why=request.reason)
    granted = await grants.grant_credit(
        conn, request.account_id, new, now=now, by=request.requested_by
    )
    return granted.account, (granted.journal_id, request.amount_micro)


async def _post_transfer(conn: AsyncConnection, request: Row[Any], now: datetime) -> "_Posted":
    source, target = await move_money.take_pair(conn, request.account_id, request.to_account_id)
    await move_money.check_movable(conn, source, request.amount_micro, now)
    moved = await move_money.transfer(
        conn, source, target, amount_micro=request.amount_micro, now=now
    )
    return source, moved


async def _post_reallocation(conn: AsyncConnection, request: Row[Any], now: datetime) -> "_Posted":
    """Never more than was asked for: what was spent meanwhile stays."""
    source, target = await move_money.take_pair(
        conn, request.account_id, request.to_account_id, from_closed=True
    )
    payment = await move_money.lock_movable_payment(conn, request.payment_id)
    unspent = await move_money.unspent_micro(conn, payment, source)
    moved = await move_money.transfer(
        conn,
        source,
        target,
        amount_micro=min(unspent, request.amount_micro),
        now=now,
        payment_id=request.payment_id,
    )
    return source, moved


_Posted = tuple[Account, Moved]
_POSTERS = {
    "money_fix": _post_fix,
    "transfer": _post_transfer,
    "reallocation": _post_reallocation,
    "grant": _post_grant,
    "opening_credit": _post_opening,
}
