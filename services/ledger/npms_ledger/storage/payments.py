"""Payments that were credited or reversed: each once, whatever came first."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_BEGIN = text(
    """
    INSERT INTO payment (payment_id, account_id, amount_micro, currency, source, reference)
    VALUES (:payment_id, :account_id, :amount_micro, :currency, :source, :reference)
    ON CONFLICT (payment_id) DO NOTHING
    """
)
_FIND = text("SELECT * FROM payment WHERE payment_id = :payment_id")
_LOCK = text("SELECT * FROM payment WHERE payment_id = :payment_id FOR UPDATE")
_SETTLE = text(
    """
    UPDATE payment
    SET settled_at = :settled_at, credit_journal_id = :journal_id, reference = :reference
    WHERE payment_id = :payment_id
    """
)
_REVERSE = text(
    """
    UPDATE payment
    SET reversed_at = :reversed_at, reversal_id = :reversal_id, reversal_reason = :reason,
        reversal_journal_id = :journal_id
    WHERE payment_id = :payment_id
    """
)
_PAID_IN = text(
    # an opening in the balance is what the customer had paid elsewhere
    """
    SELECT coalesce(sum(amount_micro), 0) FROM posting
    WHERE account_id = :account_id
      AND (kind IN ('top_up', 'reversal', 'transfer', 'refund')
           OR kind = 'opening' AND bucket = 'balance')
    """
)


async def lock(
    conn: AsyncConnection,
    payment_id: UUID,
    *,
    account_id: int,
    amount_micro: int,
    currency: str,
    source: str,
    reference: str,
) -> Row[Any]:
    """The payment's row, made if this is the first word of it, locked."""
    await conn.execute(
        _BEGIN,
        {
            "payment_id": payment_id,
            "account_id": account_id,
            "amount_micro": amount_micro,
            "currency": currency,
            "source": source,
            "reference": reference,
        },
    )
    return (await conn.execute(_LOCK, {"payment_id": payment_id})).one()


async def find(conn: AsyncConnection, payment_id: UUID, *, lock: bool = False) -> Row[Any] | None:
    """The payment's row, if it was heard of; with `lock` nobody else changes it meanwhile."""
    query = _LOCK if lock else _FIND
    return (await conn.execute(query, {"payment_id": payment_id})).first()


async def settle(
    conn: AsyncConnection,
    payment_id: UUID,
    *,
    settled_at: datetime,
    journal_id: UUID | None,
    reference: str,
) -> None:
    """Note that it settled; without a journal where it had been reversed before."""
    await conn.execute(
        _SETTLE,
        {
            "payment_id": payment_id,
            "settled_at": settled_at,
            "journal_id": journal_id,
            "reference": reference,
        },
    )


async def reverse(
    conn: AsyncConnection,
    payment_id: UUID,
    *,
    reversal_id: UUID,
    reversed_at: datetime,
    reason: str,
    journal_id: UUID | None,
) -> None:
    """Note that it was reversed; without a journal where it had never been credited."""
    await conn.execute(
        _REVERSE,
        {
            "payment_id": payment_id,
            "reversal_id": reversal_id,
            "reversed_at": reversed_at,
            "reason": reason,
            "journal_id": journal_id,
        },
    )


async def paid_in(conn: AsyncConnection, account_id: int) -> int:
    """Micro-units that were paid into an account and have not left it; use takes nothing of it."""
    return int((await conn.execute(_PAID_IN, {"account_id": account_id})).scalar_one())
