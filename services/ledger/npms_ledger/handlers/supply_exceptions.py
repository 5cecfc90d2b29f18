"""Cuts that cannot be made, and reconnections that are waited for."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, get_args

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.storage import reconnections, supply_exceptions
from npms_shared.contracts.ledger import ReconnectionWaits
from npms_shared.contracts.meter_gateway import SupplyReported
from npms_shared.messaging import outbox

MOST_CHARGES = 5_000
"""Of an account; at one a quarter of an hour, 52 days."""


async def list_exceptions(
    conn: AsyncConnection,
    *,
    now: datetime,
    older_than_s: int,
    desired: str | None,
    after: int,
    limit: int,
) -> Sequence[Row[Any]]:
    """Supplies whose desired state was not read back after `older_than_s` business seconds."""
    return await supply_exceptions.page(
        conn,
        decided_before=now - timedelta(seconds=older_than_s),
        desired=desired,
        after=after,
        limit=limit,
        most=MOST_CHARGES,
    )


Why = Literal[
    "no_relay", "suspect", "pushed", "moved", "stopped", "link", "customer", "relay", "unheard"
]


def why(row: Row[Any]) -> Why:
    """What keeps it from being as desired."""
    if not row.has_relay:
        return "no_relay"
    if row.blocked_by in get_args(Why):
        return row.blocked_by  # type: ignore[no-any-return]
    if row.awaits in {"link", "customer"}:
        return row.awaits  # type: ignore[no-any-return]
    return "relay" if row.reported_state else "unheard"


async def tell_who_waits(conn: AsyncConnection, event: SupplyReported) -> None:
    """A customer whose supply is to come back hears what it waits for: the button that is theirs to
    press, or, where they were off and have paid, a meter that cannot be reached.
    """
    if event.desired_state != "on" or event.desired_revision is None:
        return
    if event.awaits not in {"customer", "link"}:
        return
    if event.awaits == "link" and not await reconnections.is_open(conn, event.installation_id):
        return
    waits = ReconnectionWaits(
        installation_id=event.installation_id,
        account_id=event.account_id,
        revision=event.desired_revision,
        awaits="customer" if event.awaits == "customer" else "link",
        since=event.observed_at,
    )
    await outbox.publish(conn, waits, subject=str(event.account_id))
