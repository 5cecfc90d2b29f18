"""Accepted readings, told again to a tariff service that was restored to an earlier state."""

from collections import defaultdict
from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.validation import Columns
from npms_meter_gateway.outgoing import readings_batches
from npms_meter_gateway.storage import readings
from npms_shared.messaging.telling import Fact

INSTALLATIONS_AT_ONCE = 500


async def facts(conn: AsyncConnection, since: datetime | None) -> AsyncIterator[Fact]:
    """Readings from then on, of each installation in the order of time; none without a time. What
    relays are is told when the ledger tells what they should be.
    """
    after: int | None = 0 if since is not None else None
    while after is not None:
        columns: dict[int, Columns] = defaultdict(lambda: ([], [], [], []))
        ids = await readings.installations_after(conn, after, limit=INSTALLATIONS_AT_ONCE)
        async for partition, *reading in readings.since(conn, ids, since):
            for column, value in zip(columns[partition], reading, strict=True):
                column.append(value)
        for partition, of_partition in columns.items():
            for batch in readings_batches(of_partition):
                yield batch, str(partition)
        after = ids[-1] if ids else None
