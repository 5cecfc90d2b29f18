"""Money that somebody typed in or wants to allocate, until a second person agrees."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.domain.records import MoneyRequest

_COLUMNS = ", ".join(MoneyRequest.__slots__)
_ADD = text(
    """
    INSERT INTO money_request (request_id, kind, amount_micro, currency, source, issuer, reference,
        account_number, suspense_id, reason, returned_reference, requested_by, requested_at)
    VALUES (:request_id, :kind, :amount_micro, :currency, :source, :issuer, :reference,
        :account_number, :suspense_id, :reason, :returned_reference, :requested_by, :requested_at)
    ON CONFLICT DO NOTHING
    """
)
_FIND = f"SELECT {_COLUMNS} FROM money_request WHERE request_id = :request_id"  # noqa: S608
_PAGE = text(
    f"""
    SELECT {_COLUMNS} FROM money_request
    WHERE (CAST(:before AS uuid) IS NULL OR request_id < :before)
      AND (CAST(:state AS text) IS NULL OR state = :state)
    ORDER BY request_id DESC LIMIT :limit
    """  # noqa: S608 - names of this module
)
_DECIDE = text(
    """
    UPDATE money_request
    SET state = :state, decided_by = :by, decided_at = :at, decided_reason = :reason,
        payment_id = :payment_id, suspense_id = coalesce(CAST(:suspense_id AS uuid), suspense_id)
    WHERE request_id = :request_id
    """
)


async def add(conn: AsyncConnection, asked: MoneyRequest) -> bool:
    """Whether it waits now; not where another waits for the same money or suspense item."""
    values = {name: getattr(asked, name) for name in MoneyRequest.__slots__}
    return (await conn.execute(_ADD, values)).rowcount == 1


async def find(
    conn: AsyncConnection, request_id: UUID, *, lock: bool = False
) -> MoneyRequest | None:
    query = text(f"{_FIND} FOR UPDATE" if lock else _FIND)
    row = (await conn.execute(query, {"request_id": request_id})).first()
    return _request(row) if row else None


async def page(
    conn: AsyncConnection, *, before: UUID | None, limit: int, state: str | None
) -> list[MoneyRequest]:
    """Newest first."""
    rows = await conn.execute(_PAGE, {"before": before, "limit": limit, "state": state})
    return [_request(row) for row in rows]


async def decide(
    conn: AsyncConnection,
    request_id: UUID,
    *,
    state: str,
    by: str,
    reason: str,
    at: datetime,
    payment_id: UUID | None = None,
    suspense_id: UUID | None = None,
) -> None:
    values = {"request_id": request_id, "state": state, "by": by, "reason": reason, "at": at}
    became = {"payment_id": payment_id, "suspense_id": suspense_id}
    await conn.execute(_DECIDE, values | became)


def _request(row: Row[Any]) -> MoneyRequest:
    return MoneyRequest(**row._mapping)
