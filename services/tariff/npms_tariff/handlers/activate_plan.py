"""A plan and its versions come into being already activated; nothing of them changes later."""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.messaging import outbox
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.plan import check
from npms_tariff.domain.records import Plan, PlanVersion
from npms_tariff.outgoing import plan_version_activated
from npms_tariff.storage import plans


class PlanExists(Exception):
    def __init__(self, plan_code: str) -> None:
        super().__init__(plan_code)
        self.plan_code = plan_code


class UnknownPlan(Exception):
    def __init__(self, plan_code: str) -> None:
        super().__init__(plan_code)
        self.plan_code = plan_code


@dataclass(frozen=True, slots=True)
class Draft:
    """A version to be: from when it rates, and what it charges."""

    valid_from: datetime
    document: PlanDocument


async def create_plan(conn: AsyncConnection, plan: Plan, draft: Draft, *, by: str) -> PlanVersion:
    """A plan with its version 1. Raises InvalidPlan, PlanExists."""
    check(draft.document.prices())
    if not await plans.add_plan(conn, plan, by=by):
        raise PlanExists(plan.plan_code)
    return await _activate(conn, plan, draft, at=plan.created_at, by=by)


async def add_version(
    conn: AsyncConnection, plan_code: str, draft: Draft, *, at: datetime, by: str
) -> PlanVersion:
    """The plan's next version. Raises InvalidPlan, UnknownPlan.

    Where `valid_from` lies before readings already rated it counts from the next
    reading on: nothing is rated again.
    """
    check(draft.document.prices())
    plan = await plans.find_plan(conn, plan_code)
    if plan is None:
        raise UnknownPlan(plan_code)
    return await _activate(conn, plan, draft, at=at, by=by)


async def _activate(
    conn: AsyncConnection, plan: Plan, draft: Draft, *, at: datetime, by: str
) -> PlanVersion:
    document = draft.document.model_dump(mode="json", by_alias=True)
    version = await plans.add_version(
        conn,
        plan.plan_code,
        valid_from=draft.valid_from,
        document=document,
        checksum=checksum(document),
        at=at,
        by=by,
    )
    event = plan_version_activated(version, plan.currency)
    await outbox.publish(conn, event, subject=plan.plan_code)
    return version


def checksum(document: dict[str, object]) -> str:
    """SHA-256 of the document in one canonical form."""
    canonical = json.dumps(document, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
