"""A plan and its versions begin as drafts: written, replaced, withdrawn, and not yet in force."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.checking import check
from npms_tariff.domain.records import Plan, PlanDraft, PlanVersion
from npms_tariff.handlers.errors import AlreadyActivated, DraftWithdrawn, PlanExists, UnknownPlan
from npms_tariff.storage import drafts, plans


@dataclass(frozen=True, slots=True)
class Draft:
    """What a version is to be: from when it rates, and what it charges."""

    valid_from: datetime
    document: PlanDocument


async def create_plan(conn: AsyncConnection, plan: Plan, draft: Draft, *, by: str) -> PlanDraft:
    """A plan with a draft of its version 1. Raises InvalidPlan, PlanExists."""
    check(draft.document.prices())
    if not await plans.add_plan(conn, plan, by=by):
        raise PlanExists(plan.plan_code)
    return await _put(conn, plan.plan_code, 1, draft, at=plan.created_at, by=by)


async def add_draft(
    conn: AsyncConnection, plan_code: str, draft: Draft, *, at: datetime, by: str
) -> PlanDraft:
    """A draft of the plan's next version. Raises InvalidPlan, UnknownPlan."""
    check(draft.document.prices())
    if await plans.find_plan(conn, plan_code) is None:
        raise UnknownPlan(plan_code)
    await plans.lock_plan(conn, plan_code)
    version = await drafts.next_version(conn, plan_code)
    return await _put(conn, plan_code, version, draft, at=at, by=by)


async def replace_draft(
    conn: AsyncConnection, plan_code: str, version: int, draft: Draft, *, at: datetime, by: str
) -> PlanDraft:
    """The whole draft anew; who replaces it is its author from then on.

    Raises InvalidPlan, UnknownPlan, AlreadyActivated, DraftWithdrawn.
    """
    check(draft.document.prices())
    await open_draft(conn, plan_code, version)
    return await _put(conn, plan_code, version, draft, at=at, by=by)


async def withdraw_draft(
    conn: AsyncConnection, plan_code: str, version: int, *, at: datetime, by: str
) -> None:
    """It stays on record; its number is not given again.

    Raises UnknownPlan, AlreadyActivated, DraftWithdrawn.
    """
    await open_draft(conn, plan_code, version)
    await drafts.withdraw_draft(conn, plan_code, version, at=at, by=by)


async def open_draft(conn: AsyncConnection, plan_code: str, version: int) -> PlanDraft:
    """The draft, under the plan's lock. Raises UnknownPlan, AlreadyActivated, DraftWithdrawn."""
    await plans.lock_plan(conn, plan_code)
    found = await drafts.find_draft(conn, plan_code, version)
    if found is None:
        if await plans.find_version(conn, plan_code, version) is not None:
            raise AlreadyActivated
        raise UnknownPlan(plan_code)
    if found.withdrawn_at is not None:
        raise DraftWithdrawn
    return found


def reviewed_of(one: PlanDraft | PlanVersion) -> dict[str, object]:
    """What an activation is of: the document, from when it rates, and who wrote it when."""
    names = ("plan_code", "version", "valid_from", "checksum", "created_at", "created_by")
    return {name: getattr(one, name) for name in names}


async def _put(
    conn: AsyncConnection, plan_code: str, version: int, draft: Draft, *, at: datetime, by: str
) -> PlanDraft:
    document = draft.document.model_dump(mode="json", by_alias=True)
    put = PlanDraft(
        plan_code,
        version,
        valid_from=draft.valid_from,
        document=document,
        checksum=checksum(document),
        created_at=at,
        created_by=by,
    )
    await drafts.put_draft(conn, put)
    return put


def checksum(document: dict[str, object]) -> str:
    """SHA-256 of the document in one canonical form."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
