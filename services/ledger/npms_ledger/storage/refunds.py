"""Refunds of those who left: payable, then paid."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    """
    INSERT INTO refund (refund_id, account_id, amount_micro, currency, payee, reason, state,
                        journal_id, requested_by, requested_at)
    VALUES (:refund_id, :account_id, :amount_micro, :currency, :payee, :reason, 'payable',
            :journal_id, :requested_by, :requested_at)
    """
)
_PAY = text(
    """
    UPDATE refund SET state = 'paid', reference = :reference, paid_by = :paid_by, paid_at = :now,
        paid_journal_id = :journal_id
    WHERE refund_id = :refund_id
    """
)
_PAGE = text(
    """
    SELECT * FROM refund
    WHERE (CAST(:after AS uuid) IS NULL OR refund_id < :after)
      AND (CAST(:state AS text) IS NULL OR state = :state)
    ORDER BY refund_id DESC LIMIT :limit
    """
)


async def add(conn: AsyncConnection, values: dict[str, Any]) -> None:
    """Values: refund_id, account_id, amount_micro, currency, payee, reason, journal_id,
    requested_by, requested_at.
    """
    await conn.execute(_ADD, values)


async def of_account(conn: AsyncConnection, account_id: int) -> bool:
    """Whether anything was refunded."""
    rows = await conn.execute(
        text("SELECT 1 FROM refund WHERE account_id = :id LIMIT 1"), {"id": account_id}
    )
    return rows.first() is not None


async def lock(conn: AsyncConnection, refund_id: UUID) -> Row[Any] | None:
    rows = await conn.execute(
        text("SELECT * FROM refund WHERE refund_id = :id FOR UPDATE"), {"id": refund_id}
    )
    return rows.first()


async def find(conn: AsyncConnection, refund_id: UUID) -> Row[Any] | None:
    rows = await conn.execute(text("SELECT * FROM refund WHERE refund_id = :id"), {"id": refund_id})
    return rows.first()


async def mark_paid(
    conn: AsyncConnection,
    refund_id: UUID,
    *,
    reference: str,
    paid_by: str,
    journal_id: UUID,
    now: datetime,
) -> None:
    await conn.execute(
        _PAY,
        {
            "refund_id": refund_id,
            "reference": reference,
            "paid_by": paid_by,
            "journal_id": journal_id,
            "now": now,
        },
    )


async def page(
    conn: AsyncConnection, *, after: UUID | None, limit: int, state: str | None
) -> Sequence[Row[Any]]:
    """The newest first."""
    rows = await conn.execute(_PAGE, {"after": after, "limit": limit, "state": state})
    return rows.all()
