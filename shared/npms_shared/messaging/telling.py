"""What others keep a copy of, said again where a database was restored to an earlier state."""

from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.base import Batch, Event
from npms_shared.db.engine import Database
from npms_shared.messaging import outbox

AT_ONCE = 200

Fact = tuple[Event, str]
"""An event with its subject, or a batch with its partition as text."""

Facts = Callable[[AsyncConnection, datetime | None], AsyncIterator[Fact]]
"""Read from a connection in the order in which they are to be said; where there is a time, of
what happened from then on, and of what has no time all."""


async def tell_again(
    database: Database, facts: Facts, *, since: datetime | None = None
) -> Counter[str]:
    """Put all facts into the outbox, some in each transaction; returns how many of each name.

    The relay of a running process carries them. Whoever knows a fact already drops it.
    """
    told: Counter[str] = Counter()
    waiting: list[Fact] = []
    async with database.connect() as conn:
        async for fact in facts(conn, since):
            waiting.append(fact)
            told[fact[0].name] += 1
            if len(waiting) == AT_ONCE:
                await _say(database, waiting)
                waiting = []
    await _say(database, waiting)
    return told


async def _say(database: Database, facts: Sequence[Fact]) -> None:
    events = [fact for fact in facts if not isinstance(fact[0], Batch)]
    batches = [(int(key), batch) for batch, key in facts if isinstance(batch, Batch)]
    async with database.transaction() as conn:
        await outbox.publish_all(conn, events)
        await outbox.publish_batches(conn, batches)
