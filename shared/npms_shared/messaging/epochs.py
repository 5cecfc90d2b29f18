"""Who owns a partition, by the service's own database: the broker's opinion can be out of date."""

from collections.abc import Sequence

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

_CLAIM = text(
    """
    INSERT INTO partition_epoch AS held (stage, partition, epoch) VALUES (:stage, :partition, 1)
    ON CONFLICT (stage, partition) DO UPDATE SET epoch = held.epoch + 1
    RETURNING epoch
    """
)
_HOLD = text(
    """
    SELECT partition, epoch FROM partition_epoch
    WHERE stage = :stage AND partition = ANY(CAST(:partitions AS int[]))
    ORDER BY partition FOR SHARE
    """
)


async def claim(conn: AsyncConnection, stage: str, partition: int) -> int:
    """Take a partition over; returns the epoch that is ours when the transaction commits."""
    rows = await conn.execute(_CLAIM, {"stage": stage, "partition": partition})
    epoch: int = rows.scalar_one()
    return epoch


async def hold(conn: AsyncConnection, stage: str, partitions: Sequence[int]) -> dict[int, int]:
    """The epochs of the partitions, which nobody raises until the transaction ends."""
    rows = await conn.execute(_HOLD, {"stage": stage, "partitions": list(partitions)})
    return {row.partition: row.epoch for row in rows}
