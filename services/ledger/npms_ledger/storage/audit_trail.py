"""What people did to the ledger: added to, never changed."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_ADD = text(
    """
    INSERT INTO audit_trail (at, by_subject, by_roles, action, subject, reason, before, after)
    VALUES (:at, :by_subject, :by_roles, :action, :subject, :reason,
            CAST(:before AS jsonb), CAST(:after AS jsonb))
    """
)
_PAGE = text(
    """
    SELECT * FROM audit_trail
    WHERE audit_id < :before
      AND (CAST(:subject AS text) IS NULL OR subject = :subject)
      AND (CAST(:by_subject AS text) IS NULL OR by_subject = :by_subject)
      AND (CAST(:action AS text) IS NULL OR action = :action)
    ORDER BY audit_id DESC LIMIT :limit
    """
)


async def add(
    conn: AsyncConnection,
    *,
    at: datetime,
    by_subject: str,
    by_roles: list[str],
    action: str,
    subject: str,
    reason: str,
    before: dict[str, Any] | None,
    after: dict[str, Any] | None,
) -> None:
    await conn.execute(
        _ADD,
        {
            "at": at,
            "by_subject": by_subject,
            "by_roles": by_roles,
            "action": action,
            "subject": subject,
            "reason": reason,
            "before": None if before is None else json.dumps(before),
            "after": None if after is None else json.dumps(after),
        },
    )


async def page(
    conn: AsyncConnection,
    *,
    before: int,
    limit: int,
    subject: str | None,
    by_subject: str | None,
    action: str | None,
) -> Sequence[Row[Any]]:
    """Entries with ids below `before`, newest first; each filter None for all."""
    rows = await conn.execute(
        _PAGE,
        {
            "before": before,
            "limit": limit,
            "subject": subject,
            "by_subject": by_subject,
            "action": action,
        },
    )
    return rows.all()
