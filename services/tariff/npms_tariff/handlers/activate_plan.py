"""A second person puts a draft in force; nothing of the version changes later."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.approval import Approval
from npms_shared.messaging import outbox
from npms_tariff.domain.checking import InvalidPlan
from npms_tariff.domain.records import PlanVersion
from npms_tariff.handlers.draft_plan import open_draft, reviewed_of
from npms_tariff.handlers.errors import UnknownPlan
from npms_tariff.outgoing import plan_version_activated
from npms_tariff.plan_schema import flaws_of
from npms_tariff.storage import drafts, plans


async def activate_version(
    conn: AsyncConnection, plan_code: str, version: int, *, at: datetime, approval: Approval
) -> PlanVersion:
    """The draft, as it was seen, becomes the plan's version of its number.

    Where `valid_from` lies before readings already rated it counts from the next
    reading on: what was before, by a correction. Raises UnknownPlan, AlreadyActivated,
    DraftWithdrawn, SecondPersonRequired, ReviewedChanged, InvalidPlan.
    """
    draft = await open_draft(conn, plan_code, version)
    approval.check(hands=[draft.created_by], reviewed=reviewed_of(draft))
    flaws = flaws_of(draft.document)
    if flaws:
        raise InvalidPlan(flaws)
    plan = await plans.find_plan(conn, plan_code)
    if plan is None:
        raise UnknownPlan(plan_code)
    activated = await plans.add_version(conn, draft, at=at, by=approval.by)
    await drafts.drop_draft(conn, plan_code, version)
    event = plan_version_activated(activated, plan)
    await outbox.publish(conn, event, subject=plan_code)
    return activated
