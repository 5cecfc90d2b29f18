"""Money that people moved or asked to move, and who agreed."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    """
    INSERT INTO money_request (request_id, kind, account_id, to_account_id, payment_id,
        amount_micro, currency, reason, terms, state, requested_by, requested_at)
    VALUES (:request_id, :kind, :account_id, :to_account_id, :payment_id, :amount_micro,
        :currency, :reason, CAST(:terms AS jsonb), 'requested', :requested_by, :requested_at)
    """
)
_LOCK = text("SELECT * FROM money_request WHERE request_id = :request_id FOR UPDATE")
_POST = text(
    """
    UPDATE money_request SET state = 'posted', moved_micro = :moved_micro,
        journal_id = :journal_id, posted_at = CAST(:now AS timestamptz),
        decided_by = CAST(:decided_by AS text),
        decided_at = CASE WHEN CAST(:decided_by AS text) IS NOT NULL
                          THEN CAST(:now AS timestamptz) END,
        decided_reason = :decided_reason
    WHERE request_id = :request_id
    """
)
_REJECT = text(
    """
    UPDATE money_request SET state = 'rejected', decided_by = :decided_by, decided_at = :now,
        decided_reason = :decided_reason
    WHERE request_id = :request_id
    """
)
_PAGE = text(
    """
    SELECT * FROM money_request
    WHERE (CAST(:after AS uuid) IS NULL OR request_id < :after)
      AND (CAST(:state AS text) IS NULL OR state = :state)
      AND (CAST(:account_id AS bigint) IS NULL OR :account_id IN (account_id, to_account_id))
    ORDER BY request_id DESC LIMIT :limit
    """
)
_OF_PAYMENT = text(
    "SELECT * FROM money_request WHERE payment_id = :payment_id AND state <> 'rejected'"
)
_POSTED_OF_PAYMENT = text(
    "SELECT * FROM money_request WHERE payment_id = :payment_id AND state = 'posted'"
)
_GIVEN = text(
    """
    SELECT coalesce(sum(amount_micro), 0) FROM posting
    WHERE account_id = :account_id AND journal_id = :journal_id AND bucket = 'balance'
      AND kind <> 'emergency_lent'
    """
)


async def add(conn: AsyncConnection, values: dict[str, Any]) -> None:
    """Values: request_id, kind, account_id, to_account_id, payment_id, amount_micro, currency,
    reason, terms, requested_by, requested_at.
    """
    terms = values["terms"]
    await conn.execute(_ADD, {**values, "terms": None if terms is None else json.dumps(terms)})


async def lock(conn: AsyncConnection, request_id: UUID) -> Row[Any] | None:
    return (await conn.execute(_LOCK, {"request_id": request_id})).first()


async def find(conn: AsyncConnection, request_id: UUID) -> Row[Any] | None:
    rows = await conn.execute(
        text("SELECT * FROM money_request WHERE request_id = :id"), {"id": request_id}
    )
    return rows.first()


async def mark_posted(
    conn: AsyncConnection,
    request_id: UUID,
    *,
    moved_micro: int,
    journal_id: UUID,
    now: datetime,
    decided_by: str | None = None,
    decided_reason: str = "",
) -> None:
    """Done; without `decided_by` by the one who asked, alone."""
    await conn.execute(
        _POST,
        {
            "request_id": request_id,
            "moved_micro": moved_micro,
            "journal_id": journal_id,
            "now": now,
            "decided_by": decided_by,
            "decided_reason": decided_reason,
        },
    )


async def mark_rejected(
    conn: AsyncConnection,
    request_id: UUID,
    *,
    decided_by: str,
    decided_reason: str,
    now: datetime,
) -> None:
    await conn.execute(
        _REJECT,
        {
            "request_id": request_id,
            "decided_by": decided_by,
            "decided_reason": decided_reason,
            "now": now,
        },
    )


async def page(
    conn: AsyncConnection,
    *,
    after: UUID | None,
    limit: int,
    state: str | None,
    account_id: int | None,
) -> Sequence[Row[Any]]:
    """The newest first; each filter None for all."""
    rows = await conn.execute(
        _PAGE, {"after": after, "limit": limit, "state": state, "account_id": account_id}
    )
    return rows.all()


async def of_payment(conn: AsyncConnection, payment_id: UUID) -> Row[Any] | None:
    """The reallocation of a payment that is asked for or done."""
    return (await conn.execute(_OF_PAYMENT, {"payment_id": payment_id})).first()


async def posted_of_payment(conn: AsyncConnection, payment_id: UUID) -> Row[Any] | None:
    """The reallocation of a payment that is done."""
    return (await conn.execute(_POSTED_OF_PAYMENT, {"payment_id": payment_id})).first()


async def given_to_balance(conn: AsyncConnection, *, account_id: int, journal_id: UUID) -> int:
    """What a journal of a payment gave to the account's balance, in micro-units."""
    given = await conn.execute(_GIVEN, {"account_id": account_id, "journal_id": journal_id})
    return int(given.scalar_one())
