"""Money that came for an account before its opening was heard goes to it once it is."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.errors import AccountIsClosed
from npms_payments.domain.records import Money
from npms_payments.handlers.accounts import find_open_account
from npms_payments.handlers.settle import settle_new
from npms_payments.storage import suspense
from npms_shared.ids import new_id

BY = "system:ledger"
REASON = "the opening of its account was heard after it"


async def take_up_waiting(
    conn: AsyncConnection, account_id: int, *, opened_at: datetime, now: datetime
) -> int:
    """Settle what stands in suspense for an account that was open when the money came, and only
    that; returns how much there was.
    """
    try:
        _, currency = await find_open_account(conn, account_id)
    except AccountIsClosed:
        return 0
    waiting = await suspense.lock_waiting(conn, account_id, currency=currency, opened_at=opened_at)
    for item in waiting:
        payment_id = new_id()
        await settle_new(
            conn,
            Money(item.amount_micro, item.currency, item.source, item.reference, item.issuer),
            payment_id=payment_id,
            account_id=account_id,
            at=now,
            by=BY,
        )
        await suspense.mark_allocated(
            conn, item.suspense_id, payment_id=payment_id, at=now, by=BY, reason=REASON
        )
    return len(waiting)
