"""Several processes share the gateways: each speaks to those it holds, and to no other.

The lease is one row a process, renewed well before it ends. By its own steady clock a process
falls silent `MARGIN_S` before anybody else may take its gateways over: also one that was frozen,
since the clock is looked at before every request. What it writes because it holds a gateway is
fenced: the transaction proves the lease.
"""

import asyncio
import os
import socket
import time
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.domain.gateway_assignment import assign_gateways
from npms_meter_gateway.storage import leases as storage
from npms_shared.db.engine import Database, is_passing
from npms_shared.ids import new_id

LEASE_S = 10.0
MARGIN_S = 2.0
"""Longer than a request already sent may still be under way."""
RENEWALS = 5

log = structlog.get_logger()


class LeaseLost(Exception):
    """Somebody else may hold our gateways by now."""


def steady_s() -> float:
    """Seconds of a clock that goes on while the machine is suspended, where there is one."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(slots=True)
class LeaseHolder:
    """This process among those that share the gateways; `held` are ids of gateways.

    Its transactions are its own: they have to end while the lease still runs.
    """

    database: Database
    ttl_s: float = LEASE_S
    margin_s: float = MARGIN_S
    worker_id: UUID = field(default_factory=new_id)
    held: set[int] = field(default_factory=set)
    _silent_from: float = 0.0
    _seen: tuple[list[UUID], tuple[int, int]] | None = None
    _known: tuple[list[UUID], frozenset[int]] | None = None
    _share: frozenset[int] = frozenset()

    def may_speak(self) -> bool:
        """Whether nobody else can hold our gateways yet."""
        return steady_s() < self._silent_from

    async def join(self) -> None:
        asked_at = steady_s()
        async with self.database.transaction() as conn:
            name = f"{socket.gethostname()}:{os.getpid()}"
            await storage.join(conn, self.worker_id, name=name, ttl_s=self.ttl_s)
        self._silent_from = asked_at + self.ttl_s - self.margin_s

    async def keep(self) -> None:
        """Renew for ever, on a connection of its own: that all others are taken must not cost the
        lease. Raises LeaseLost when it was not possible in time.
        """
        while True:
            try:
                async with self.database.connect() as conn:
                    await self._keep_on(conn)
            except Exception as fault:
                if not is_passing(fault):
                    raise
                log.warning("lease_not_renewed", fault=repr(fault))
            if not self.may_speak():
                raise LeaseLost
            await asyncio.sleep(self.ttl_s / RENEWALS)

    async def _keep_on(self, conn: AsyncConnection) -> None:
        while self.may_speak():
            async with asyncio.timeout(max(self._silent_from - steady_s(), 0)):
                await self._renew(conn)
            await asyncio.sleep(self.ttl_s / RENEWALS)

    async def _renew(self, conn: AsyncConnection) -> None:
        asked_at = steady_s()
        async with conn.begin():
            if not await storage.renew(conn, self.worker_id, ttl_s=self.ttl_s):
                raise LeaseLost
        self._silent_from = asked_at + self.ttl_s - self.margin_s

    async def surplus(self) -> frozenset[int]:
        """Gateways held that are another's share now, or no more polled; first the dead ones are
        taken leave of.
        """
        async with self.database.transaction() as conn:
            if buried := await storage.bury(conn):
                log.warning("workers_lapsed", count=buried)
            workers = await storage.living(conn)
            if self.worker_id not in workers:
                raise LeaseLost
            seen = (workers, await storage.fingerprint(conn))
            if seen != self._seen:
                self._learn(workers, await storage.gateways(conn))
        self._seen = seen
        return frozenset(self.held - self._share)

    def _learn(self, workers: list[UUID], holders: dict[int, UUID | None]) -> None:
        known = (workers, frozenset(holders))
        if known != self._known:
            chosen = assign_gateways(workers, holders)
            self._share = frozenset(g for g, worker in chosen.items() if worker == self.worker_id)
            self._known = known
        self.held = {g for g, holder in holders.items() if holder == self.worker_id}

    async def claim(self) -> bool:
        """Take what is our share and nobody's; True when something was to be had."""
        wanted = self._share - self.held
        if not wanted:
            return False
        async with Fenced(self.database, self).transaction() as conn:
            await storage.claim(conn, self.worker_id, wanted)
            holders = await storage.gateways(conn)
        before, self.held = self.held, {g for g, w in holders.items() if w == self.worker_id}
        return self.held != before

    async def release(self, gateway_ids: Collection[int]) -> None:
        """Nothing is said to them any more: whose share they are may take them."""
        async with self.database.transaction() as conn:
            await storage.release(conn, self.worker_id, gateway_ids)
        self.held.difference_update(gateway_ids)

    async def leave(self) -> None:
        async with self.database.transaction() as conn:
            await storage.leave(conn, self.worker_id)


@asynccontextmanager
async def membership(
    database: Database, *, ttl_s: float, margin_s: float
) -> AsyncIterator[LeaseHolder]:
    """A worker among the others; at the end its gateways are the others' at once."""
    holder = LeaseHolder(database, ttl_s, margin_s)
    await holder.join()
    try:
        yield holder
    finally:
        with suppress(Exception):
            await holder.leave()


class Fenced(Database):
    """The same database, for what a process writes because it holds a gateway."""

    def __init__(self, database: Database, holder: LeaseHolder) -> None:
        self.engine, self.committed, self._holder = database.engine, database.committed, holder

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """As every transaction; raises LeaseLost where the lease is not ours any more."""
        async with super().transaction() as conn:
            if not await storage.prove(conn, self._holder.worker_id):
                raise LeaseLost
            yield conn
