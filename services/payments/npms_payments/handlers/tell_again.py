"""Payments that settled or were reversed, told again to a ledger that was restored."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import Money
from npms_payments.outgoing import to_payment_reversed, to_payment_settled
from npms_payments.storage import payments
from npms_shared.messaging.telling import Fact


async def facts(conn: AsyncConnection, since: datetime | None) -> AsyncIterator[Fact]:
    """Of a time on, or all; a settlement before its reversal. The ledger credits each id once."""
    async for one in payments.moved_since(conn, since):
        subject = str(one.account_id)
        if one.settled_at is not None:
            money = Money(
                one.amount_micro, one.currency, one.source, one.reference or "", one.issuer
            )
            event = to_payment_settled(one.payment_id, one.account_id, money, at=one.settled_at)
            yield event, subject
        if one.reversal_id is not None and one.reversed_at is not None:
            yield (
                to_payment_reversed(
                    one,
                    reversal_id=one.reversal_id,
                    reason=one.reversal_reason or "",
                    at=one.reversed_at,
                ),
                subject,
            )
