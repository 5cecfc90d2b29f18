"""Held readings as time goes by: superseded once harmless, counted, and dropped when old."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.held import HARMLESS_LATER
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import held

AT_ONCE = 1000
WHY = "a later reading has counted its energy"


async def supersede_harmless(conn: AsyncConnection, context: Context) -> int:
    """Close what a later accepted reading has made harmless; returns how many, AT_ONCE at most."""
    found = await held.find_harmless(conn, reasons=HARMLESS_LATER, limit=AT_ONCE)
    await held.decide(
        conn,
        [(held_id, None) for held_id in found],
        decision="superseded",
        by=None,
        reason=WHY,
        at=context.clock.now(),
    )
    return len(found)


async def forget_held(conn: AsyncConnection, context: Context) -> Mapping[str, int]:
    """Drop what is old; returns how many wait for a decision, by reason."""
    if context.held_kept_days:
        days = timedelta(days=context.held_kept_days)
        await held.forget(conn, before=context.clock.now() - days)
    return await held.count_open(conn)
