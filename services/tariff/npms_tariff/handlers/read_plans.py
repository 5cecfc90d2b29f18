"""Plans, their versions, and readings kept aside, as they are on record."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import ParkedReading, Plan, PlanDraft, PlanVersion
from npms_tariff.handlers.errors import UnknownPlan
from npms_tariff.storage import drafts, parked_readings, plans


async def list_plans(conn: AsyncConnection, *, after: str, limit: int) -> list[Plan]:
    return await plans.list_plans(conn, after=after, limit=limit)


async def get_plan(conn: AsyncConnection, plan_code: str) -> Plan:
    """Raises UnknownPlan."""
    plan = await plans.find_plan(conn, plan_code)
    if plan is None:
        raise UnknownPlan(plan_code)
    return plan


async def list_versions(
    conn: AsyncConnection, plan_code: str, *, after: int, limit: int
) -> list[PlanVersion | PlanDraft]:
    """Versions and drafts by number. Raises UnknownPlan."""
    await get_plan(conn, plan_code)
    found: dict[int, PlanVersion | PlanDraft] = {}
    for draft in await drafts.drafts_of(conn, plan_code, after=after, limit=limit):
        found[draft.version] = draft
    for activated in await plans.versions_of(conn, plan_code, after=after, limit=limit):
        found[activated.version] = activated
    return [found[version] for version in sorted(found)[:limit]]


async def get_version(
    conn: AsyncConnection, plan_code: str, version: int
) -> PlanVersion | PlanDraft:
    """Raises UnknownPlan."""
    draft = await drafts.find_draft(conn, plan_code, version)
    if draft is not None:
        return draft
    activated = await plans.find_version(conn, plan_code, version)
    if activated is None:
        raise UnknownPlan(plan_code)
    return activated


async def list_parked_readings(
    conn: AsyncConnection, *, before: int | None, limit: int, installation_id: int | None
) -> list[ParkedReading]:
    return await parked_readings.list_parked(
        conn, before=before, limit=limit, installation_id=installation_id
    )
