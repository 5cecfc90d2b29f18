"""Carries the outbox to the broker: in order, confirmed, and only then forgotten.

Every process of a service runs one; an advisory lock of the pass's transaction
lets one at a time work, so that order holds with any number of them, and a
frozen one loses its lock with its idle transaction.
"""

import asyncio
from collections.abc import Sequence
from typing import Any

import structlog
from sqlalchemy import Row, text

from npms_shared.db.engine import Database, is_passing
from npms_shared.messaging import unroutable
from npms_shared.messaging.broker import BROKER_AWAY
from npms_shared.messaging.publisher import Outgoing, Publisher
from npms_shared.messaging.topology import requeue_exchange, service_of
from npms_shared.observability import metrics

LOCK = 7_205_760
PASS_ROWS = 128
IDLE_LOOK_S = 1.0
BACK_OFF_S = 0.5

log = structlog.get_logger()

_LOCK = text("SELECT pg_advisory_xact_lock(:lock)")
_TAKE = text(
    """
    SELECT id, message_id, exchange, routing_key, type, source, subject, time,
           traceparent, headers, body
    FROM outbox ORDER BY id LIMIT :rows
    """
)
_FORGET = text("DELETE FROM outbox WHERE id = ANY(CAST(:ids AS bigint[]))")


class Relay:
    def __init__(self, database: Database, publisher: Publisher) -> None:
        self._database, self._publisher = database, publisher
        self._refused: set[int] = set()

    async def run(self, stopping: asyncio.Event) -> None:
        """Work until `stopping`, then empty the outbox once more, if the broker is there."""
        away = False
        while not stopping.is_set():
            try:
                await self._drain()
                away = False
                await self._rest()
            except Exception as fault:
                if not (is_passing(fault) or isinstance(fault, BROKER_AWAY)):
                    log.exception("relay_failed")
                elif not away:
                    log.warning("relay_waits", fault=repr(fault))
                away = True
                await asyncio.sleep(BACK_OFF_S)
        if not away:
            await self._drain()

    async def _drain(self) -> None:
        self._database.committed.clear()
        while await self.run_pass() == PASS_ROWS:
            pass

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(IDLE_LOOK_S):
                await self._database.committed.wait()
        except TimeoutError:
            return

    async def run_pass(self) -> int:
        """Publish what is oldest; returns how many messages were tried.

        What the broker has no queue for is tried again, when the topology was looked after; then
        it is set aside, and what comes after it goes on.
        """
        async with self._database.engine.connect() as conn, conn.begin():
            await conn.execute(_LOCK, {"lock": LOCK})
            rows = (await conn.execute(_TAKE, {"rows": PASS_ROWS})).all()
            if not rows:
                return 0
            refused = await self._publisher.offer([_outgoing(row) for row in rows])
            lost = [(rows[p], why) for p, why in refused.items() if rows[p].id in self._refused]
            await unroutable.set_aside(conn, lost)
            waiting = {rows[place].id for place in refused} - {row.id for row, _ in lost}
            gone = [row.id for row in rows if row.id not in waiting]
            await conn.execute(_FORGET, {"ids": gone})
        self._refused = waiting
        _count([row for place, row in enumerate(rows) if place not in refused])
        return len(rows)


def _count(rows: Sequence[Row[Any]]) -> None:
    for row in rows:
        metrics.MESSAGES_PUBLISHED.labels(type=row.type).inc()


def _outgoing(row: Row[Any]) -> Outgoing:
    return Outgoing(
        message_id=row.message_id,
        exchange=row.exchange or requeue_exchange(service_of(row.routing_key)),
        routing_key=row.routing_key,
        type=row.type,
        source=row.source,
        subject=row.subject,
        time=row.time,
        body=row.body,
        traceparent=row.traceparent,
        headers=row.headers or {},
    )
