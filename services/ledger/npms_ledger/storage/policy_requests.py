"""Versions of credit policies that somebody asked for, and who decided."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    """
    INSERT INTO policy_request (request_id, code, currency, document, requested_by, requested_at)
    VALUES (:request_id, :code, :currency, CAST(:document AS jsonb), :by, :now)
    """
)
_WAITING = text(
    """
    SELECT request_id FROM policy_request
    WHERE code = :code AND state = 'requested' AND requested_by = :by
      AND document = CAST(:document AS jsonb)
    ORDER BY request_id LIMIT 1
    """
)
_PAGE = text(
    """
    SELECT * FROM policy_request
    WHERE (CAST(:before AS uuid) IS NULL OR request_id < :before)
      AND (CAST(:state AS text) IS NULL OR state = :state)
    ORDER BY request_id DESC LIMIT :limit
    """
)
_DECIDE = text(
    """
    UPDATE policy_request SET state = :state, decided_by = :by, decided_at = :now,
        decided_reason = :reason, version = :version
    WHERE request_id = :request_id
    """
)


async def add(
    conn: AsyncConnection,
    request_id: UUID,
    *,
    code: str,
    currency: str,
    document: dict[str, Any],
    by: str,
    now: datetime,
) -> None:
    values = {"code": code, "currency": currency, "document": json.dumps(document)}
    await conn.execute(_ADD, {**values, "request_id": request_id, "by": by, "now": now})


async def waiting(
    conn: AsyncConnection, code: str, *, document: dict[str, Any], by: str
) -> UUID | None:
    """The request of one person for the same document that nobody has decided yet."""
    values = {"code": code, "document": json.dumps(document), "by": by}
    found: UUID | None = (await conn.execute(_WAITING, values)).scalar_one_or_none()
    return found


async def find(conn: AsyncConnection, request_id: UUID, *, lock: bool = False) -> Row[Any] | None:
    locking = " FOR UPDATE" if lock else ""
    query = text(f"SELECT * FROM policy_request WHERE request_id = :id{locking}")  # noqa: S608
    return (await conn.execute(query, {"id": request_id})).first()


async def page(
    conn: AsyncConnection, *, before: UUID | None, limit: int, state: str | None
) -> Sequence[Row[Any]]:
    """Newest first."""
    rows = await conn.execute(_PAGE, {"before": before, "limit": limit, "state": state})
    return rows.all()


async def decide(
    conn: AsyncConnection,
    request_id: UUID,
    *,
    state: str,
    by: str,
    reason: str,
    now: datetime,
    version: int | None = None,
) -> None:
    values = {"request_id": request_id, "state": state, "by": by, "reason": reason, "now": now}
    await conn.execute(_DECIDE, {**values, "version": version})
