"""What a plan's installations used and what it cost, by hour, day or month."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain.records import Plan, PlanUse, Resolution
from npms_tariff.handlers.read_plans import get_plan
from npms_tariff.handlers.report_usage import LONGEST, RangeRefused
from npms_tariff.storage import plan_usage


@dataclass(frozen=True, slots=True)
class PlanUsageReport:
    plan: Plan
    resolution: Resolution
    items: Sequence[PlanUse]


async def report_plan_usage(
    conn: AsyncConnection, plan_code: str, *, resolution: Resolution, span: tuple[date, date]
) -> PlanUsageReport:
    """Closed hours only; days and months are those of each installation's local time.

    Raises UnknownPlan, RangeRefused.
    """
    first, end = span
    if first >= end:
        raise RangeRefused("empty_range", "`to` must be after `from`")
    if end - first > LONGEST[resolution]:
        longest = LONGEST[resolution].days
        raise RangeRefused("range_too_long", f"by {resolution} at most {longest} days")
    plan = await get_plan(conn, plan_code)
    items = await plan_usage.read_usage(
        conn,
        plan_code,
        resolution=resolution,
        begins=_counted(first, resolution),
        ends=_counted(end, resolution),
    )
    return PlanUsageReport(plan, resolution, items)


def _counted(day: date, resolution: Resolution) -> int:
    """A day as the resolution counts; a month's later days are counted with the next month."""
    if resolution == "hour":
        return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp())
    if resolution == "day":
        return day.year * 10_000 + day.month * 100 + day.day
    year, month = divmod(day.year * 12 + day.month - 1 + (day.day > 1), 12)
    return year * 100 + month + 1
