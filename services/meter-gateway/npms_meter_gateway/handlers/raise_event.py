"""Something about a meter that a person should see: kept, and told."""

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.outgoing import meter_event
from npms_meter_gateway.storage import events, installations
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.ids import new_id
from npms_shared.messaging import outbox


async def raise_event(
    conn: AsyncConnection,
    clock: Clock,
    *,
    installation_id: int,
    account_id: int,
    kind: str,
    detail: str,
) -> None:
    at = clock.now()
    event = meter_event(installation_id, account_id, kind=kind, detail=detail, at=at)
    await events.add_event(
        conn,
        event_id=new_id(),
        installation_id=installation_id,
        account_id=account_id,
        kind=kind,
        detail=detail,
        raised_at=at,
    )
    await outbox.publish(conn, event, subject=str(account_id))


async def report_link(
    database: Database,
    clock: Clock,
    *,
    installation_id: int,
    account_id: int,
    is_reachable: bool,
    detail: str,
) -> None:
    """Note that a meter is heard or not; `unreachable` and `back` are raised once each."""
    link = "reachable" if is_reachable else "unreachable"
    async with database.transaction() as conn:
        before = await installations.exchange_link(
            conn, installation_id, link=link, since=clock.now()
        )
        if before == link or (is_reachable and before == "unknown"):
            return
        await raise_event(
            conn,
            clock,
            installation_id=installation_id,
            account_id=account_id,
            kind="back" if is_reachable else "unreachable",
            detail=detail,
        )
