"""The clock from payment to supply: how long it took, and whose takes too long."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger import metrics
from npms_ledger.storage import reconnections
from npms_shared.contracts.meter_gateway import SupplyReported


async def note_closed(conn: AsyncConnection, event: SupplyReported) -> None:
    """The relay was read back closed: stop the clock, where one runs."""
    if event.desired_revision is None:
        return
    ended = await reconnections.close(
        conn,
        event.installation_id,
        revision=event.desired_revision,
        observed_at=event.observed_at,
    )
    for row in ended:
        metrics.RECONNECTED.observe(max(0.0, (row.verified_at - row.settled_at).total_seconds()))


async def list_reconnections(
    conn: AsyncConnection,
    *,
    before: UUID | None,
    limit: int,
    limit_s: int,
    now: datetime,
    breached: bool | None,
    account_id: int | None,
) -> Sequence[Row[Any]]:
    """Newest first; one that is still open counts by the time it has taken until now."""
    return await reconnections.page(
        conn,
        before=before,
        limit=limit,
        limit_s=limit_s,
        now=now,
        breached=breached,
        account_id=account_id,
    )
