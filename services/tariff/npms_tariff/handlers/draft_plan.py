"""Plans and versions are drafted, replaced, withdrawn, and not yet in force."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.db import audit_trail
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.checking import check
from npms_tariff.domain.records import Plan, PlanDraft, PlanVersion
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.errors import AlreadyActivated, DraftWithdrawn, PlanExists, UnknownPlan
from npms_tariff.storage import drafts, plans


@dataclass(frozen=True, slots=True)
class NewPlan:
    plan_code: str
    name: str
    commodity: str
    currency: str


@dataclass(frozen=True, slots=True)
class Draft:
    """What a version is to be: from when it rates, and what it charges."""

    valid_from: datetime
    document: PlanDocument


async def create_plan(
    conn: AsyncConnection, context: Context, new: NewPlan, draft: Draft, *, by: Actor
) -> PlanDraft:
    """A plan with a draft of its version 1. Raises InvalidPlan, PlanExists."""
    check(draft.document.prices())
    now = context.clock.now()
    plan = Plan(new.plan_code, new.name, new.commodity, new.currency, now)
    if not await plans.add_plan(conn, plan, by=by.subject):
        raise PlanExists(plan.plan_code)
    put = await _put(conn, plan.plan_code, 1, draft, at=now, by=by)
    await audit_trail.note(
        conn,
        by,
        "plan_created",
        subject=f"plan:{plan.plan_code}",
        now=now,
        after={
            "name": plan.name,
            "commodity": plan.commodity,
            "currency": plan.currency,
            **drafted_facts(put),
        },
    )
    return put


async def add_draft(
    conn: AsyncConnection, context: Context, plan_code: str, draft: Draft, *, by: Actor
) -> PlanDraft:
    """A draft of the plan's next version. Raises InvalidPlan, UnknownPlan."""
    check(draft.document.prices())
    if await plans.find_plan(conn, plan_code) is None:
        raise UnknownPlan(plan_code)
    await plans.lock_plan(conn, plan_code)
    version, now = await drafts.next_version(conn, plan_code), context.clock.now()
    put = await _put(conn, plan_code, version, draft, at=now, by=by)
    await audit_trail.note(
        conn,
        by,
        "plan_version_added",
        subject=subject_of(put),
        now=now,
        after=drafted_facts(put),
    )
    return put


async def replace_draft(
    conn: AsyncConnection,
    context: Context,
    plan_code: str,
    version: int,
    draft: Draft,
    *,
    by: Actor,
) -> PlanDraft:
    """The whole draft anew; who replaces it is its author from then on.

    Raises InvalidPlan, UnknownPlan, AlreadyActivated, DraftWithdrawn.
    """
    check(draft.document.prices())
    replaced, now = await open_draft(conn, plan_code, version), context.clock.now()
    put = await _put(conn, plan_code, version, draft, at=now, by=by)
    await audit_trail.note(
        conn,
        by,
        "plan_draft_replaced",
        subject=subject_of(put),
        now=now,
        before=drafted_facts(replaced),
        after=drafted_facts(put),
    )
    return put


async def withdraw_draft(
    conn: AsyncConnection, context: Context, plan_code: str, version: int, *, by: Actor
) -> None:
    """It stays on record; its number is not given again.

    Raises UnknownPlan, AlreadyActivated, DraftWithdrawn.
    """
    draft, now = await open_draft(conn, plan_code, version), context.clock.now()
    await drafts.withdraw_draft(conn, plan_code, version, at=now, by=by.subject)
    await audit_trail.note(
        conn,
        by,
        "plan_draft_withdrawn",
        subject=subject_of(draft),
        now=now,
        before={"state": "draft"},
        after={"state": "withdrawn"},
    )


async def open_draft(conn: AsyncConnection, plan_code: str, version: int) -> PlanDraft:
    """The draft, under the plan's lock. Raises UnknownPlan, AlreadyActivated, DraftWithdrawn."""
    await plans.lock_plan(conn, plan_code)
    draft = await drafts.find_draft(conn, plan_code, version)
    if draft is None:
        if await plans.find_version(conn, plan_code, version) is not None:
            raise AlreadyActivated
        raise UnknownPlan(plan_code)
    if draft.withdrawn_at is not None:
        raise DraftWithdrawn
    return draft


def reviewed_of(version: PlanDraft | PlanVersion) -> dict[str, object]:
    """What an activation is of: the document, from when it rates, and who wrote it when."""
    names = ("plan_code", "version", "valid_from", "checksum", "created_at", "created_by")
    return {name: getattr(version, name) for name in names}


def subject_of(version: PlanDraft | PlanVersion) -> str:
    """As the audit trail names it: `plan:home@2`."""
    return f"plan:{version.plan_code}@{version.version}"


def drafted_facts(draft: PlanDraft) -> dict[str, object]:
    """What tells one draft of a version from another."""
    return {
        "valid_from": draft.valid_from.isoformat(),
        "checksum": draft.checksum,
        "created_by": draft.created_by,
    }


async def _put(
    conn: AsyncConnection, plan_code: str, version: int, draft: Draft, *, at: datetime, by: Actor
) -> PlanDraft:
    document = draft.document.model_dump(mode="json", by_alias=True)
    put = PlanDraft(
        plan_code,
        version,
        valid_from=draft.valid_from,
        document=document,
        checksum=checksum(document),
        created_at=at,
        created_by=by.subject,
    )
    await drafts.put_draft(conn, put)
    return put


def checksum(document: dict[str, object]) -> str:
    """SHA-256 of the document in one canonical form."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
