"""Plans and their versions: rows that are added and never changed."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import Plan, PlanDraft, PlanVersion

_PLAN = "SELECT plan_code, name, commodity, currency, created_at FROM plan"
_VERSION = """
    SELECT plan_version_id, plan_code, version, valid_from, document, checksum,
           created_at, created_by, activated_at, activated_by
    FROM plan_version
"""

_ADD_PLAN = text(
    """
    INSERT INTO plan (plan_code, name, commodity, currency, created_at, created_by)
    VALUES (:plan_code, :name, :commodity, :currency, :created_at, :by)
    ON CONFLICT DO NOTHING
    """
)
_LOCK_PLAN = text("SELECT pg_advisory_xact_lock(hashtextextended('plan:' || :code, 0))")
_ADD_VERSION = text(
    """
    INSERT INTO plan_version (plan_code, version, valid_from, document, checksum,
                              created_at, created_by, activated_at, activated_by)
    VALUES (:plan_code, :version, :valid_from, CAST(:document AS jsonb), :checksum,
            :created_at, :created_by, :at, :by)
    RETURNING plan_version_id, plan_code, version, valid_from, document, checksum,
              created_at, created_by, activated_at, activated_by
    """
)
_FIND_PLAN = text(f"{_PLAN} WHERE plan_code = :code")
_LIST_PLANS = text(f"{_PLAN} WHERE plan_code > :after ORDER BY plan_code LIMIT :limit")
_FIND_VERSION = text(f"{_VERSION} WHERE plan_code = :code AND version = :version")
_FIND_VERSION_BY_ID = text(f"{_VERSION} WHERE plan_version_id = :id")
_VERSIONS_OF = text(
    f"{_VERSION} WHERE plan_code = :code AND version > :after ORDER BY version LIMIT :limit"
)
_COUNT_VERSIONS = text("SELECT count(*) FROM plan_version")
_ALL_VERSIONS = text(f"{_VERSION} ORDER BY plan_code, valid_from, version")


def _version(row: Row[Any]) -> PlanVersion:
    return PlanVersion(**row._mapping)


async def add_plan(conn: AsyncConnection, plan: Plan, *, by: str) -> bool:
    """False when the code is taken."""
    done = await conn.execute(_ADD_PLAN, {**asdict(plan), "by": by})
    return done.rowcount == 1


async def lock_plan(conn: AsyncConnection, plan_code: str) -> None:
    """Until the transaction ends nobody else drafts or activates a version of the plan."""
    await conn.execute(_LOCK_PLAN, {"code": plan_code})


async def add_version(
    conn: AsyncConnection, draft: PlanDraft, *, at: datetime, by: str
) -> PlanVersion:
    """The draft, activated."""
    row = await conn.execute(
        _ADD_VERSION, {**asdict(draft), "document": json.dumps(draft.document), "at": at, "by": by}
    )
    return _version(row.one())


async def find_plan(conn: AsyncConnection, plan_code: str) -> Plan | None:
    found = await conn.execute(_FIND_PLAN, {"code": plan_code})
    row = found.one_or_none()
    return Plan(**row._mapping) if row else None


async def list_plans(conn: AsyncConnection, *, after: str, limit: int) -> list[Plan]:
    """In the order of their codes."""
    rows = await conn.execute(_LIST_PLANS, {"after": after, "limit": limit})
    return [Plan(**row._mapping) for row in rows]


async def find_version(conn: AsyncConnection, plan_code: str, version: int) -> PlanVersion | None:
    found = await conn.execute(_FIND_VERSION, {"code": plan_code, "version": version})
    row = found.one_or_none()
    return _version(row) if row else None


async def find_version_by_id(conn: AsyncConnection, plan_version_id: int) -> PlanVersion | None:
    found = await conn.execute(_FIND_VERSION_BY_ID, {"id": plan_version_id})
    row = found.one_or_none()
    return _version(row) if row else None


async def versions_of(
    conn: AsyncConnection, plan_code: str, *, after: int, limit: int
) -> list[PlanVersion]:
    rows = await conn.execute(_VERSIONS_OF, {"code": plan_code, "after": after, "limit": limit})
    return [_version(row) for row in rows]


async def count_versions(conn: AsyncConnection) -> int:
    """How many are activated; a higher count is a change, since versions are only added."""
    count: int = (await conn.execute(_COUNT_VERSIONS)).scalar_one()
    return count


async def all_versions(conn: AsyncConnection) -> Sequence[PlanVersion]:
    """In the order in which they take over, plan by plan."""
    rows = await conn.execute(_ALL_VERSIONS)
    return [_version(row) for row in rows]
