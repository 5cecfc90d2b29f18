"""Something about a meter that a person should see: kept, and told."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.outgoing import meter_event, meter_event_cleared
from npms_meter_gateway.storage import alarms, installations
from npms_meter_gateway.storage import events as event_storage
from npms_shared.contracts.meter_gateway import MeterEventRaised
from npms_shared.ids import new_id
from npms_shared.messaging import outbox


async def raise_event(
    conn: AsyncConnection,
    context: Context,
    *,
    installation_id: int,
    account_id: int,
    kind: str,
    detail: str,
) -> None:
    """Each call is an event of its own; what lasts is an alarm (`raise_alarm`)."""
    at = context.clock.now()
    event = meter_event(installation_id, account_id, kind=kind, detail=detail, at=at)
    await _keep_and_tell(conn, event, new_id())


async def raise_alarm(
    conn: AsyncConnection,
    context: Context,
    *,
    installation_id: int,
    account_id: int,
    kind: str,
    detail: str,
) -> bool:
    """Raise an event of what lasts, once: False, and nothing told, while it is open already."""
    at = context.clock.now()
    event = meter_event(installation_id, account_id, kind=kind, detail=detail, at=at)
    event_id = new_id()
    opened = await alarms.open_alarm(conn, event_id=event_id, **_columns(event))
    if opened:
        await _keep_and_tell(conn, event, event_id)
    return opened


async def _keep_and_tell(conn: AsyncConnection, event: MeterEventRaised, event_id: UUID) -> None:
    await event_storage.add_event(conn, event_id=event_id, **_columns(event))
    await outbox.publish(conn, event, subject=str(event.account_id))


def _columns(event: MeterEventRaised) -> dict[str, Any]:
    return event.model_dump(exclude={"severity"})


async def clear_alarm(
    conn: AsyncConnection, context: Context, *, installation_id: int, kind: str, detail: str
) -> bool:
    """It is over: told once; False, and nothing told, where none of the kind is open."""
    return await _clear(conn, context, installation_id, kind=kind, detail=detail)


async def clear_all_alarms(
    conn: AsyncConnection, context: Context, *, installation_id: int, detail: str
) -> None:
    """Whatever was open is over, because the meter serves the installation no more."""
    await _clear(conn, context, installation_id, kind=None, detail=detail)


async def _clear(
    conn: AsyncConnection, context: Context, installation_id: int, *, kind: str | None, detail: str
) -> bool:
    at = context.clock.now()
    cleared = await alarms.clear_alarms(
        conn, installation_id, kind=kind, detail=detail, cleared_at=at
    )
    events = [
        (
            meter_event_cleared(
                installation_id,
                alarm.account_id,
                kind=alarm.kind,
                detail=detail,
                raised_at=alarm.raised_at,
                cleared_at=at,
            ),
            str(alarm.account_id),
        )
        for alarm in cleared
    ]
    await outbox.publish_all(conn, events)
    return bool(events)


async def report_link(
    conn: AsyncConnection,
    context: Context,
    *,
    installation_id: int,
    account_id: int,
    is_reachable: bool,
    detail: str,
) -> None:
    """Note that a meter is heard or not; `unreachable` and `back` are raised once each, and the
    alarm is open between them. A meter that fell silent with its whole gateway has no alarm of
    its own: the gateway's is cleared by the first that is heard.
    """
    link = "reachable" if is_reachable else "unreachable"
    meter: dict[str, Any] = {
        "installation_id": installation_id,
        "account_id": account_id,
        "detail": detail,
    }
    before = await installations.exchange_link(
        conn, installation_id, link=link, since=context.clock.now()
    )
    if not is_reachable:
        await raise_alarm(conn, context, kind="unreachable", **meter)
    elif before == "unreachable":
        await _report_back(conn, context, meter)


async def _report_back(conn: AsyncConnection, context: Context, meter: dict[str, Any]) -> None:
    installation_id, detail = meter["installation_id"], meter["detail"]
    for other in await alarms.of_gateway(conn, installation_id, kind="gateway_unreachable"):
        await clear_alarm(
            conn, context, installation_id=other, kind="gateway_unreachable", detail=detail
        )
    if await clear_alarm(
        conn, context, installation_id=installation_id, kind="unreachable", detail=detail
    ):
        await raise_event(conn, context, kind="back", **meter)


async def report_gateway_lost(
    conn: AsyncConnection, context: Context, meters: Mapping[int, int], *, detail: str
) -> None:
    """Note that nothing behind a gateway answers: one alarm for all, kept with the first of its
    installations; `meters` has the account of each.
    """
    first = min(meters)
    await installations.lose_links(conn, list(meters), since=context.clock.now())
    await raise_alarm(
        conn,
        context,
        installation_id=first,
        account_id=meters[first],
        kind="gateway_unreachable",
        detail=detail,
    )
