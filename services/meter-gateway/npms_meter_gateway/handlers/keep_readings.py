"""What was accepted is stored and told in one transaction."""

from collections.abc import Mapping, Sequence

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.validation import Columns
from npms_meter_gateway.outgoing import readings_batches
from npms_meter_gateway.storage import readings
from npms_shared.contracts.meter_gateway import HoldLift
from npms_shared.messaging import outbox


async def keep_readings(
    conn: AsyncConnection, accepted: Mapping[int, Columns], *, lifts: Sequence[HoldLift] = ()
) -> None:
    """Columns by partition, whose turns the caller holds; `lifts` go with each of them."""
    if any(columns[0] for columns in accepted.values()):
        await readings.add_readings(conn, list(accepted.values()))
    batches = [
        (partition, batch)
        for partition, columns in sorted(accepted.items())
        for batch in readings_batches(columns, lifts)
    ]
    await outbox.publish_batches(conn, batches)
