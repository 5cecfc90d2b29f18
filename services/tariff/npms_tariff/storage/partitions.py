"""The months in which hours are kept. Their tables belong to the role that migrates; functions of
its making add and drop them."""

from datetime import date

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_MAKE_MONTH = text("SELECT usage_hour_make(:day)")
_DROP_MONTHS_BEFORE = text("SELECT usage_hour_drop(:day)")
_DELETE_PLAN_HOURS_BEFORE = text("DELETE FROM usage_plan_hour WHERE hour_s < :at_s")


async def make_month(conn: AsyncConnection, day: date) -> bool:
    """The day's month gets its partition; False where it has one, or its hours were dropped."""
    done = await conn.execute(_MAKE_MONTH, {"day": day})
    return bool(done.scalar_one())


async def drop_months_before(conn: AsyncConnection, day: date) -> int:
    """Hours of before the day's month go, all at once; says how many partitions went.

    The database refuses (an integrity error) where days do not hold what the hours do.
    """
    done = await conn.execute(_DROP_MONTHS_BEFORE, {"day": day})
    return int(done.scalar_one())


async def delete_plan_hours_before(conn: AsyncConnection, at_s: int) -> None:
    """A plan's hours are few: they are deleted as rows."""
    await conn.execute(_DELETE_PLAN_HOURS_BEFORE, {"at_s": at_s})
