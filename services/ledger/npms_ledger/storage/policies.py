"""Credit policies: one head per code, every version kept."""

import json
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

_CURRENT = text(
    """
    SELECT v.code, v.version, c.currency, v.document, v.written_by, v.written_at,
           v.approved_by
    FROM credit_policy c JOIN credit_policy_version v USING (code, version)
    WHERE c.code = :code
    """
)
_HOLD = text("SELECT 1 FROM credit_policy WHERE code = :code FOR SHARE")
_HEAD = text(
    """
    INSERT INTO credit_policy AS p (code, version, currency) VALUES (:code, 1, :currency)
    ON CONFLICT (code) DO UPDATE SET version = p.version + 1
    RETURNING version, currency
    """
)
_ADD = text(
    """
    INSERT INTO credit_policy_version
        (code, version, document, written_by, written_at, approved_by)
    VALUES (:code, :version, CAST(:document AS jsonb), :written_by, :written_at, :approved_by)
    """
)


async def current(conn: AsyncConnection, code: str, *, hold: bool = False) -> Row[Any] | None:
    """The version in force, or None; with `hold` no other can be put in force meanwhile."""
    if hold:
        await conn.execute(_HOLD, {"code": code})
    return (await conn.execute(_CURRENT, {"code": code})).first()


async def add_version(
    conn: AsyncConnection,
    *,
    code: str,
    currency: str,
    document: dict[str, Any],
    written_by: str,
    written_at: datetime,
    approved_by: str | None,
) -> int:
    """Write the next version and put it in force; returns its number."""
    head = (await conn.execute(_HEAD, {"code": code, "currency": currency})).one()
    await conn.execute(
        _ADD,
        {
            "code": code,
            "version": head.version,
            "document": json.dumps(document),
            "written_by": written_by,
            "written_at": written_at,
            "approved_by": approved_by,
        },
    )
    version: int = head.version
    return version
