"""Two people for money that staff types in or allocates; a little of it one person does alone."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.amounts import check_amount, check_currency
from npms_payments.domain.errors import (
    AccountIsClosed,
    AccountUnknown,
    AllocationWaits,
    AlreadyReceived,
    NotFound,
    RequestDecided,
)
from npms_payments.domain.records import Money, MoneyRequest, Payment, Suspended
from npms_payments.handlers.accounts import find_open_account
from npms_payments.handlers.allocate_suspense import (
    Allocate,
    allocate,
    find_item,
    find_open_item,
    lock_open_item,
)
from npms_payments.handlers.context import Context
from npms_payments.handlers.record_payment import RecordPayment, account_id_in, record_payment
from npms_payments.storage import money_requests, payments, suspense
from npms_shared.approval import Approval
from npms_shared.db.moved_alone import move_alone
from npms_shared.ids import new_id


async def record_by_hand(
    conn: AsyncConnection, context: Context, command: RecordPayment
) -> Payment | Suspended | MoneyRequest:
    """Money that staff types in: recorded at once, or once another person agrees.

    Raises what record_payment raises.
    """
    money = command.money
    if await _alone(conn, context, money, by=command.by, what=f"{money.source} {money.reference}"):
        return await record_payment(conn, context, command)
    check_amount(money.amount_micro, limit_micro=context.policy.max_payment_micro)
    await _check_payee(conn, command)
    asked = _request(context, "payment", money, by=command.by, number=command.account_number)
    if await payments.has_arrived(conn, money) or not await money_requests.add(conn, asked):
        raise AlreadyReceived(source=money.source, reference=money.reference)
    return asked


async def _check_payee(conn: AsyncConnection, command: RecordPayment) -> None:
    """Where there is none, the money will be set aside. Raises WrongCurrency."""
    try:
        account_id = account_id_in(command.account_number)
        _, currency = await find_open_account(conn, account_id)
    except (AccountUnknown, AccountIsClosed):
        return
    check_currency(command.money.currency, expected=currency)


async def allocate_by_hand(
    conn: AsyncConnection, context: Context, command: Allocate
) -> Payment | MoneyRequest:
    """Money set aside goes to an account: at once, or once another person agrees.

    Raises AllocationWaits, and what allocate raises.
    """
    item = await find_open_item(conn, command)
    money = _money_of(item)
    if await _alone(conn, context, money, by=command.by, what=f"suspense {item.suspense_id}"):
        return await allocate(conn, context, command)
    number, reason = str(command.account_id), command.reason
    asked = _request(
        context,
        "allocation",
        money,
        by=command.by,
        number=number,
        suspense_id=item.suspense_id,
        reason=reason,
    )
    if not await money_requests.add(conn, asked):
        raise AllocationWaits(item.suspense_id)
    return asked


async def return_by_hand(
    conn: AsyncConnection,
    context: Context,
    suspense_id: UUID,
    *,
    reference: str,
    reason: str,
    by: str,
) -> MoneyRequest:
    """Money set aside goes back to its payer, always by two people, like every refund.

    Raises NotFound, SuspenseClosed, AllocationWaits.
    """
    item = await lock_open_item(conn, suspense_id)
    asked = _request(
        context,
        "return",
        _money_of(item),
        by=by,
        number=item.account_given,
        suspense_id=suspense_id,
        reason=reason,
        returned_reference=reference,
    )
    if not await money_requests.add(conn, asked):
        raise AllocationWaits(suspense_id)
    return asked


async def approve(
    conn: AsyncConnection, context: Context, request_id: UUID, *, approval: Approval, reason: str
) -> MoneyRequest:
    """Do what somebody else asked for, judged anew.

    Raises NotFound, RequestDecided, SecondPersonRequired, ReviewedChanged, and what the doing
    refuses.
    """
    asked = await _lock_undecided(conn, request_id)
    approval.check(hands=await _hands(conn, asked), reviewed=asdict(asked))
    made = await _do(conn, context, asked)
    await money_requests.decide(
        conn,
        request_id,
        state="posted",
        by=approval.by,
        reason=reason,
        at=context.clock.now(),
        payment_id=made.payment_id if isinstance(made, Payment) else None,
        suspense_id=made.suspense_id if isinstance(made, Suspended) else None,
    )
    return await show_request(conn, request_id)


async def reject(
    conn: AsyncConnection, context: Context, request_id: UUID, *, by: str, reason: str
) -> MoneyRequest:
    """Nothing moves; who asked for it takes it back so. Raises NotFound, RequestDecided."""
    await _lock_undecided(conn, request_id)
    await money_requests.decide(
        conn, request_id, state="rejected", by=by, reason=reason, at=context.clock.now()
    )
    return await show_request(conn, request_id)


async def show_request(conn: AsyncConnection, request_id: UUID) -> MoneyRequest:
    """Raises NotFound."""
    found = await money_requests.find(conn, request_id)
    if found is None:
        raise NotFound("money request", request_id)
    return found


async def list_requests(
    conn: AsyncConnection, *, before: UUID | None, limit: int, state: str | None
) -> list[MoneyRequest]:
    return await money_requests.page(conn, before=before, limit=limit, state=state)


async def _do(conn: AsyncConnection, context: Context, asked: MoneyRequest) -> Payment | Suspended:
    if asked.kind == "return":
        return await _return(conn, context, asked)
    if asked.kind == "allocation":
        assert asked.suspense_id is not None
        account_id, reason = int(asked.account_number), asked.reason or ""
        command = Allocate(asked.suspense_id, account_id, reason, asked.requested_by)
        return await allocate(conn, context, command)
    return await record_payment(
        conn, context, RecordPayment(asked.account_number, asked.money, asked.requested_by)
    )


async def _return(conn: AsyncConnection, context: Context, asked: MoneyRequest) -> Suspended:
    assert asked.suspense_id is not None
    item = await lock_open_item(conn, asked.suspense_id)
    await suspense.mark_returned(
        conn,
        item.suspense_id,
        at=context.clock.now(),
        by=asked.requested_by,
        reason=asked.reason or "",
        reference=asked.returned_reference or "",
    )
    return item


async def _hands(conn: AsyncConnection, asked: MoneyRequest) -> list[str]:
    """Who asked; and who typed in what is to be allocated."""
    if asked.suspense_id is None:
        return [asked.requested_by]
    item = await find_item(conn, asked.suspense_id)
    return [asked.requested_by, item.received_by]


async def _lock_undecided(conn: AsyncConnection, request_id: UUID) -> MoneyRequest:
    asked = await money_requests.find(conn, request_id, lock=True)
    if asked is None:
        raise NotFound("money request", request_id)
    if asked.state != "requested":
        raise RequestDecided(request_id, asked.state)
    return asked


async def _alone(
    conn: AsyncConnection, context: Context, money: Money, *, by: str, what: str
) -> bool:
    return await move_alone(
        conn,
        by,
        money.amount_micro,
        money.currency,
        what=what,
        limits=context.policy.alone_limits,
        now=context.clock.now(),
    )


def _money_of(item: Suspended) -> Money:
    return Money(item.amount_micro, item.currency, item.source, item.reference, item.issuer)


def _request(
    context: Context, kind: str, money: Money, *, by: str, number: str, **more: Any
) -> MoneyRequest:
    return MoneyRequest(
        request_id=new_id(),
        kind=kind,
        account_number=number,
        requested_by=by,
        requested_at=context.clock.now(),
        **asdict(money),
        **more,
    )
