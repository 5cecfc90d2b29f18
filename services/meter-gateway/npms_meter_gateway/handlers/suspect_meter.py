"""Whether the meter that answers is the one installed: until a person knows, nothing is charged
and nothing switched.
"""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.register_states import take_register_state
from npms_meter_gateway.storage import reckonings, supplies


async def suspect_meter(
    conn: AsyncConnection, context: Context, installation_id: int, *, detail: str
) -> bool:
    """From here on its readings are held as `foreign_meter`, whoever reads them, and its relay is
    left alone.

    False where they were before. It ends with `trust_meter`, or when an operator releases the
    first of those readings.
    """
    await take_register_state(conn, context, installation_id)
    found = await reckonings.suspect(
        conn, installation_id, detail=detail, since=context.clock.now()
    )
    if found:
        await supplies.take_up(conn, installation_id, now=context.clock.wall_now())
    return found


async def trust_meter(
    conn: AsyncConnection, context: Context, installation_id: int, *, afresh: bool = False
) -> bool:
    """Its next readings are judged like any other; False where it was not under suspicion.

    `afresh`: it is another meter than before, so its relay was not moved by hand wherever it is.
    """
    await take_register_state(conn, context, installation_id)
    cleared = await reckonings.clear(conn, installation_id)
    if cleared:
        await supplies.take_up(conn, installation_id, now=context.clock.wall_now(), afresh=afresh)
    return cleared
