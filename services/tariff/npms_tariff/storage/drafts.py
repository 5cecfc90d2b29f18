"""Drafts of plan versions: replaced and withdrawn until they are activated, which takes them."""

import json
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import PlanDraft

_DRAFT = """
    SELECT plan_code, version, valid_from, document, checksum, created_at, created_by,
           withdrawn_at, withdrawn_by
    FROM plan_draft
"""

_NEXT_VERSION = text(
    """
    SELECT coalesce(max(version), 0) + 1 FROM (
        SELECT version FROM plan_version WHERE plan_code = :code
        UNION ALL SELECT version FROM plan_draft WHERE plan_code = :code
    ) AS numbered
    """
)
_PUT_DRAFT = text(
    """
    INSERT INTO plan_draft (plan_code, version, valid_from, document, checksum,
                            created_at, created_by, withdrawn_at, withdrawn_by)
    VALUES (:plan_code, :version, :valid_from, CAST(:document AS jsonb), :checksum,
            :created_at, :created_by, :withdrawn_at, :withdrawn_by)
    ON CONFLICT (plan_code, version) DO UPDATE
    SET valid_from = excluded.valid_from, document = excluded.document,
        checksum = excluded.checksum, created_at = excluded.created_at,
        created_by = excluded.created_by
    """
)
_FIND_DRAFT = text(f"{_DRAFT} WHERE plan_code = :code AND version = :version")
_DRAFTS_OF = text(
    f"{_DRAFT} WHERE plan_code = :code AND version > :after ORDER BY version LIMIT :limit"
)
_WITHDRAW_DRAFT = text(
    """
    UPDATE plan_draft SET withdrawn_at = :at, withdrawn_by = :by
    WHERE plan_code = :code AND version = :version
    """
)
_DROP_DRAFT = text("DELETE FROM plan_draft WHERE plan_code = :code AND version = :version")


def _draft(row: Row[Any]) -> PlanDraft:
    return PlanDraft(**row._mapping)


async def next_version(conn: AsyncConnection, plan_code: str) -> int:
    """The first number that no draft or version of the plan ever had; call under its lock."""
    found = await conn.execute(_NEXT_VERSION, {"code": plan_code})
    number: int = found.scalar_one()
    return number


async def put_draft(conn: AsyncConnection, draft: PlanDraft) -> None:
    """Add it, or replace the one of its number."""
    await conn.execute(_PUT_DRAFT, {**asdict(draft), "document": json.dumps(draft.document)})


async def find_draft(conn: AsyncConnection, plan_code: str, version: int) -> PlanDraft | None:
    """Withdrawn or not."""
    found = await conn.execute(_FIND_DRAFT, {"code": plan_code, "version": version})
    row = found.one_or_none()
    return _draft(row) if row else None


async def drafts_of(
    conn: AsyncConnection, plan_code: str, *, after: int, limit: int
) -> list[PlanDraft]:
    """By number, withdrawn ones included."""
    rows = await conn.execute(_DRAFTS_OF, {"code": plan_code, "after": after, "limit": limit})
    return [_draft(row) for row in rows]


async def withdraw_draft(
    conn: AsyncConnection, plan_code: str, version: int, *, at: datetime, by: str
) -> None:
    await conn.execute(_WITHDRAW_DRAFT, {"code": plan_code, "version": version, "at": at, "by": by})


async def drop_draft(conn: AsyncConnection, plan_code: str, version: int) -> None:
    """Once it is copied into a version."""
    await conn.execute(_DROP_DRAFT, {"code": plan_code, "version": version})
