"""What people did: who, in whose name, what to which thing, when and why; added to, never changed.

An entry is written by the handler that does the thing, in the transaction that does it.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor

Facts = dict[str, Any]
"""A few facts that JSON can hold."""

AUDIT_TRAIL_SQL = (
    """
    CREATE TABLE audit_trail (
        audit_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        at timestamptz NOT NULL,
        recorded_at timestamptz NOT NULL DEFAULT now(),
        by_subject text NOT NULL,
        by_roles text[] NOT NULL,
        on_behalf_of text NOT NULL DEFAULT '',
        action text NOT NULL,
        subject text NOT NULL,
        reason text NOT NULL,
        before jsonb,
        after jsonb
    )
    """,
    "CREATE INDEX audit_trail_subject ON audit_trail (subject, audit_id)",
    "CREATE INDEX audit_trail_by ON audit_trail (by_subject, audit_id)",
)
"""For a service's migration; the application may only add to it."""

_ADD = text(
    """
    INSERT INTO audit_trail
        (at, by_subject, by_roles, on_behalf_of, action, subject, reason, before, after)
    VALUES (:at, :by_subject, :by_roles, :on_behalf_of, :action, :subject, :reason,
            CAST(:before AS jsonb), CAST(:after AS jsonb))
    """
)
_PAGE = text(
    """
    SELECT audit_id, at, by_subject, by_roles, on_behalf_of, action, subject, reason, before, after
    FROM audit_trail
    WHERE audit_id < :before
      AND (CAST(:subject AS text) IS NULL OR subject = :subject)
      AND (CAST(:by_subject AS text) IS NULL OR by_subject = :by_subject)
      AND (CAST(:action AS text) IS NULL OR action = :action)
    ORDER BY audit_id DESC LIMIT :limit
    """
)


@dataclass(frozen=True, slots=True)
class AuditEntry:
    audit_id: int
    at: datetime
    by_subject: str
    by_roles: list[str]
    on_behalf_of: str
    action: str
    subject: str
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


async def note(
    conn: AsyncConnection,
    by: Actor,
    action: str,
    *,
    subject: str,
    now: datetime,
    reason: str = "",
    before: Facts | None = None,
    after: Facts | None = None,
) -> None:
    """Keep that somebody did something, e.g. `plan_activated`, to one thing, e.g. `plan:home@2`."""
    added = {
        "at": now,
        "by_subject": by.subject,
        "by_roles": list(by.roles),
        "on_behalf_of": by.on_behalf_of,
        "action": action,
        "subject": subject,
        "reason": reason,
        "before": _as_json(before),
        "after": _as_json(after),
    }
    await conn.execute(_ADD, added)


async def list_entries(
    conn: AsyncConnection,
    *,
    before: int,
    limit: int,
    subject: str | None = None,
    by_subject: str | None = None,
    action: str | None = None,
) -> list[AuditEntry]:
    """The newest first, with ids below `before`; each filter None for all."""
    filters = {"subject": subject, "by_subject": by_subject, "action": action}
    rows = await conn.execute(_PAGE, {"before": before, "limit": limit, **filters})
    return [AuditEntry(**row._mapping) for row in rows]


def _as_json(facts: Facts | None) -> str | None:
    return None if facts is None else json.dumps(facts, default=str)
