"""A second person puts a draft in force; nothing of the version changes later."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.actor import Actor
from npms_shared.approval import Approval
from npms_shared.db import audit_trail
from npms_shared.messaging import outbox
from npms_tariff.domain.checking import InvalidPlan
from npms_tariff.domain.records import PlanVersion
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.draft_plan import open_draft, reviewed_of, subject_of
from npms_tariff.handlers.errors import UnknownPlan
from npms_tariff.outgoing import plan_version_activated
from npms_tariff.plan_schema import flaws_of
from npms_tariff.storage import drafts, plans


async def activate_version(
    conn: AsyncConnection, context: Context, plan_code: str, version: int, *, by: Actor, seen: str
) -> PlanVersion:
    """The draft, as it was `seen` (its checksum), becomes the plan's version of its number.

    Where `valid_from` lies before readings already rated it counts from the next
    reading on: what was before, by a correction. Raises UnknownPlan, AlreadyActivated,
    DraftWithdrawn, SecondPersonRequired, ReviewedChanged, InvalidPlan.
    """
    draft = await open_draft(conn, plan_code, version)
    Approval(by.subject, seen).check(hands=[draft.created_by], reviewed=reviewed_of(draft))
    flaws = flaws_of(draft.document)
    if flaws:
        raise InvalidPlan(flaws)
    plan = await plans.find_plan(conn, plan_code)
    if plan is None:
        raise UnknownPlan(plan_code)
    now = context.clock.now()
    activated = await plans.add_version(conn, draft, at=now, by=by.subject)
    await drafts.drop_draft(conn, plan_code, version)
    await outbox.publish(conn, plan_version_activated(activated, plan), subject=plan_code)
    await audit_trail.note(
        conn,
        by,
        "plan_activated",
        subject=subject_of(activated),
        now=now,
        before={"state": "draft", "created_by": draft.created_by},
        after={
            "state": "activated",
            "plan_version_id": activated.plan_version_id,
            "valid_from": activated.valid_from.isoformat(),
            "checksum": activated.checksum,
        },
    )
    return activated
