"""Versions of plans, and where rating ended, told again to a ledger that was restored."""

from collections.abc import AsyncIterator
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.telling import Fact, Facts
from npms_tariff.handlers.context import Context
from npms_tariff.outgoing import charges_batch, plan_version_activated, rating_end
from npms_tariff.storage import plans, states


def facts_of(context: Context) -> Facts:
    """All of it: nothing here has a time. Charges are not kept, so that they are not told."""

    async def tell(conn: AsyncConnection, _since: datetime | None) -> AsyncIterator[Fact]:
        for version in await plans.all_versions(conn):
            plan = await plans.find_plan(conn, version.plan_code)
            assert plan is not None
            yield plan_version_activated(version, plan), version.plan_code
        async for ended in states.ended(conn):
            partition = partition_of(ended.account_id, context.partitions)
            yield charges_batch([], ended.currency, [rating_end(ended)]), str(partition)

    return tell
