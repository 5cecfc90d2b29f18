"""What other services tell that the ledger keeps as they told it."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import reconnections
from npms_ledger.handlers.supply_exceptions import tell_who_waits
from npms_ledger.storage import catalogue, supplies
from npms_shared.contracts.meter_gateway import ProfilePublished, SupplyReported
from npms_shared.contracts.tariff import PlanVersionActivated
from npms_shared.messaging.subscriptions import Unprocessable


async def note_supply(conn: AsyncConnection, event: SupplyReported) -> None:
    """Keep what a relay was seen to be, beside what it should be. Raises Unprocessable."""
    known = await supplies.report(
        conn,
        event.installation_id,
        state=event.state,
        revision=event.desired_revision,
        verified=event.verified,
        observed_at=event.observed_at,
        detail=event.detail,
        limit_w=event.limit_w,
        awaits=event.awaits,
        blocked_by=event.blocked_by,
    )
    if not known:
        raise Unprocessable("unknown_installation", f"no supply of {event.installation_id}")
    if event.state == "on" and event.verified and event.desired_revision is not None:
        await reconnections.note_closed(conn, event)
    await tell_who_waits(conn, event)


async def note_plan_version(conn: AsyncConnection, event: PlanVersionActivated) -> None:
    await catalogue.add_plan_version(
        conn,
        event.plan_version_id,
        plan_code=event.plan_code,
        version=event.version,
        currency=event.currency,
        commodity=event.commodity,
        valid_from=event.valid_from,
        vend_charges=[charge.model_dump() for charge in event.vend_charges],
    )


async def note_profile(conn: AsyncConnection, event: ProfilePublished) -> None:
    await catalogue.add_profile(
        conn,
        event.profile,
        vendor=event.vendor,
        model=event.model,
        has_relay=event.has_relay,
        can_limit=event.can_limit,
        serial_pattern=event.serial_pattern,
    )
