"""An operator lets a relay be worked again that is left alone."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.meters import UnknownMeter
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.storage import readings, supplies
from npms_shared.actor import Actor
from npms_shared.db import audit_trail


class NotMoved(Exception):
    """Nobody has moved the relay, or it was brought back since."""


async def restore_supply(
    conn: AsyncConnection, context: Context, installation_id: int, *, by: Actor, reason: str
) -> None:
    """Bring a relay that somebody moved by hand back to what is desired, at once.

    Raises UnknownMeter, NotMoved.
    """
    if not await readings.is_known(conn, installation_id):
        raise UnknownMeter
    if not await supplies.forget_moved(conn, installation_id, now=context.clock.wall_now()):
        raise NotMoved
    await audit_trail.note(
        conn,
        by,
        "supply_restored",
        subject=f"installation:{installation_id}",
        now=context.clock.now(),
        reason=reason,
        before={"moved": True},
        after={"moved": False},
    )
