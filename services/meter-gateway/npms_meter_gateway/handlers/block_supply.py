"""Supplies that are not worked toward what is desired, and why: told once, and kept aside."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.reconciling import Finding, Obstacle
from npms_meter_gateway.domain.supplies import Supply
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.raise_event import clear_alarm, raise_alarm
from npms_meter_gateway.outgoing import supply_reported
from npms_meter_gateway.storage import supplies
from npms_shared.messaging import outbox

FOR_GOOD_S = 10 * 365 * 86_400.0
UNREACHABLE = "it sends its readings; nothing here reaches its relay"


async def tell_unreachable(conn: AsyncConnection, context: Context, installation_id: int) -> None:
    """Of a meter that sends its readings, and whose relay no driver reaches: the ledger is told for
    every revision, a person once while off is desired.
    """
    supply = await supplies.unreachable(conn, installation_id)
    if supply is None:
        return
    await block_supply(conn, context, supply, "pushed", UNREACHABLE, pause_s=FOR_GOOD_S)
    if supply.desired.state == "off":
        await raise_alarm(
            conn,
            context,
            installation_id=installation_id,
            account_id=supply.account_id,
            kind="no_relay",
            detail=UNREACHABLE,
        )
    else:
        await clear_alarm(
            conn, context, installation_id=installation_id, kind="no_relay", detail="on is desired"
        )


async def block_supply(
    conn: AsyncConnection,
    context: Context,
    supply: Supply,
    by: Obstacle,
    detail: str,
    *,
    pause_s: float,
) -> None:
    """Leave it alone for `pause_s` real seconds; the ledger is told once a revision and cause that
    its state is unknown. What was last seen of it stays known here.
    """
    is_news = await supplies.block(
        conn,
        supply.installation_id,
        by=by,
        revision=supply.desired.revision,
        next_try_at=context.wall_after(pause_s),
    )
    if not is_news:
        return
    finding = Finding("unknown", verified=False, in_place=False, detail=detail, blocked_by=by)
    event = supply_reported(supply, finding, at=context.clock.now())
    await outbox.publish(conn, event, subject=str(supply.account_id))
