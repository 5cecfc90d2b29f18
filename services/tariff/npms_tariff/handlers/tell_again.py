"""Versions of plans, and where rating ended, told again to a ledger that was restored."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import RatingEnd
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.telling import Fact, Facts
from npms_tariff.outgoing import charges_batch, plan_version_activated
from npms_tariff.storage import plans, states


def facts_of(partitions: int) -> Facts:
    """All of it: nothing here has a time. Charges are not kept, so that they are not told."""

    async def tell(conn: AsyncConnection, _since: datetime | None) -> AsyncIterator[Fact]:
        for version in await plans.all_versions(conn):
            plan = await plans.find_plan(conn, version.plan_code)
            assert plan is not None
            yield plan_version_activated(version, plan), version.plan_code
        async for row in states.ended(conn):
            end = RatingEnd.model_validate(dict(row._mapping))
            partition = partition_of(end.account_id, partitions)
            yield charges_batch([], row.currency, [end]), str(partition)

    return tell
