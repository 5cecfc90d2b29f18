"""What rating a batch produced, written and published in the transaction that took the readings."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import ChargesBatch, RatingEnd
from npms_shared.messaging import outbox
from npms_tariff.domain.plan_usage import PlanUsage
from npms_tariff.domain.state import Rated, RatingState
from npms_tariff.outgoing import charges_batch
from npms_tariff.storage import holds, parked_readings, plan_usage, states, usage
from npms_tariff.storage.holds import Fall
from npms_tariff.storage.parked_readings import Parked


@dataclass(slots=True)
class Work:
    """Touched states by installation, results by currency, readings kept aside, falls that hold,
    and by currency the installations whose rating has ended."""

    touched: dict[int, RatingState] = field(default_factory=dict)
    rated: dict[str, Rated] = field(default_factory=lambda: defaultdict(Rated))
    parked: list[Parked] = field(default_factory=list)
    fallen: list[Fall] = field(default_factory=list)
    ends: dict[str, RatingEnd] = field(default_factory=dict)


async def save(conn: AsyncConnection, works: Mapping[int, Work], *, at: datetime) -> None:
    """Write the work of several partitions, a statement for each kind of row.

    Raises StaleState when a state was changed by somebody else.
    """
    touched = [state for work in works.values() for state in work.touched.values()]
    results = [rated for work in works.values() for rated in work.rated.values()]
    hours = [hour for rated in results for hour in rated.hours]
    days = [day for rated in results for day in rated.days]
    months = [month for rated in results for month in rated.months]
    scopes = [scope for rated in results for scope in rated.scopes]
    parked = [reading for work in works.values() for reading in work.parked]
    fallen = [fall for work in works.values() for fall in work.fallen]
    if touched:
        await states.save_states(conn, touched)
    if hours:
        await usage.add_hours(conn, hours)
        await _add_plan_usage(conn, works)
    if days:
        await usage.add_days(conn, days)
    if months:
        await usage.add_months(conn, months)
    if scopes:
        await states.add_scopes(conn, scopes)
    await outbox.publish_batches(conn, list(_batches(works)))
    if parked:
        await parked_readings.add_parked(conn, parked, at=at)
    if fallen:
        await holds.add_holds(conn, fallen, at=at)


async def _add_plan_usage(conn: AsyncConnection, works: Mapping[int, Work]) -> None:
    """What plans used, added up by the set before it is written."""
    used = PlanUsage()
    for partition, work in works.items():
        for rated in work.rated.values():
            used.add(partition, rated.hours, work.touched)
    await plan_usage.add_usage(conn, used.rows())


def _batches(works: Mapping[int, Work]) -> Iterator[tuple[int, ChargesBatch]]:
    for partition, work in works.items():
        for currency in {**work.rated, **work.ends}:
            charges = work.rated[currency].charges
            ends = [work.ends[currency]] if currency in work.ends else []
            if charges or ends:
                yield partition, charges_batch(charges, currency, ends)
