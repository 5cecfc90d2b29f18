"""What rating a batch produced, written and said in the transaction that heard of it."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.messaging import outbox
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.outgoing import charges_batch
from npms_tariff.storage import parked_readings, states, usage
from npms_tariff.storage.parked_readings import Parked


@dataclass(slots=True)
class Work:
    """Touched states by installation, results by currency, and readings kept aside."""

    touched: dict[int, RatingState] = field(default_factory=dict)
    rated: dict[str, Rated] = field(default_factory=lambda: defaultdict(Rated))
    parked: list[Parked] = field(default_factory=list)


async def save(conn: AsyncConnection, work: Work, *, partition: int, at: datetime) -> None:
    """Raises StaleState when a state was changed by somebody else."""
    if work.touched:
        await states.save_states(conn, list(work.touched.values()))
    for currency, rated in work.rated.items():
        await _save_rated(conn, rated, currency, partition=partition)
    if work.parked:
        await parked_readings.add_parked(conn, work.parked, at=at)


async def _save_rated(
    conn: AsyncConnection, rated: Rated, currency: str, *, partition: int
) -> None:
    if rated.hours:
        await usage.add_hours(conn, rated.hours)
    if rated.scopes:
        await states.add_scopes(conn, rated.scopes)
    if rated.charges:
        batch = charges_batch(rated.charges, currency)
        await outbox.publish_batch(conn, batch, partition=partition)
