"""Plans, their versions, and readings kept aside, as they are on record."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import ParkedReading, Plan, PlanVersion
from npms_tariff.handlers.activate_plan import UnknownPlan
from npms_tariff.storage import parked_readings, plans


async def list_plans(conn: AsyncConnection, *, after: str, limit: int) -> list[Plan]:
    return await plans.list_plans(conn, after=after, limit=limit)


async def show_plan(conn: AsyncConnection, plan_code: str) -> Plan:
    """Raises UnknownPlan."""
    plan = await plans.find_plan(conn, plan_code)
    if plan is None:
        raise UnknownPlan(plan_code)
    return plan


async def list_versions(
    conn: AsyncConnection, plan_code: str, *, after: int, limit: int
) -> list[PlanVersion]:
    """Raises UnknownPlan."""
    await show_plan(conn, plan_code)
    return await plans.versions_of(conn, plan_code, after=after, limit=limit)


async def show_version(conn: AsyncConnection, plan_code: str, version: int) -> PlanVersion:
    """Raises UnknownPlan."""
    found = await plans.find_version(conn, plan_code, version)
    if found is None:
        raise UnknownPlan(plan_code)
    return found


async def list_parked_readings(
    conn: AsyncConnection, *, before: int | None, limit: int, installation_id: int | None
) -> list[ParkedReading]:
    return await parked_readings.list_parked(
        conn, before=before, limit=limit, installation_id=installation_id
    )
