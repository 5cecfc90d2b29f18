"""Which supplies are worked toward their desired states, and how many at a time."""

import asyncio
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from itertools import zip_longest
from uuid import UUID

import structlog

from npms_meter_gateway import metrics
from npms_meter_gateway.domain.pacing import Pace
from npms_meter_gateway.domain.supplies import DueSupply
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.switch_supply import (
    Wanted,
    list_due,
    postpone,
)
from npms_meter_gateway.polling.supply_attempt import POLL_EVERY_S, attempt
from npms_meter_gateway.polling.transactions import in_transaction
from npms_meter_gateway.polling.unit import Unit

AFRESH_S, BACKLOG_S, BATCHES = 1.0, 0.02, 16
"""Of many that are due, as after a restart, as many batches are fetched as a second may bring; what
became due or obsolete meanwhile is seen a second later, obsolete ones before anything is sent.
"""
PULSED = frozenset({"switched", "ghost_success", "in_vain", "armed", "unseen"})
"""Outcomes of attempts that sent something."""

log = structlog.get_logger()


class SupplySwitcher:
    """At most `concurrency` relays are worked on at a time, one attempt each.

    A quarter of that is kept free for each direction, so that ten thousand reconnections do not
    hold up a cut, nor the reverse. `pace` bounds how fast supplies return.
    """

    def __init__(
        self,
        context: Context,
        unit_of: Callable[[int], Unit | None],
        *,
        holder: UUID | None = None,
        concurrency: int,
        pace: Pace | None = None,
    ) -> None:
        """`holder` is the worker whose gateways' supplies are due here; None is all."""
        self._context, self._unit_of, self._holder = context, unit_of, holder
        self._most_alike = max(concurrency - concurrency // 4, 1)
        self._concurrency = concurrency
        self._pace = pace or Pace(per_place=6e6, in_all=6e6)
        self._busy: dict[int, tuple[DueSupply, asyncio.Task[None]]] = {}
        self._ready: list[DueSupply] = []
        self._fetch_at = 0.0

    async def run(self) -> None:
        """Attempt what is due until cancelled; an attempt under way is finished first."""
        try:
            while True:
                now = asyncio.get_running_loop().time()
                if not self._ready or now >= self._fetch_at:
                    self._ready = await self._due(now)
                    self._fetch_at = now + AFRESH_S
                self._ready = [supply for supply in self._ready if not self._begin(supply)]
                await asyncio.sleep(BACKLOG_S if self._ready else POLL_EVERY_S)
        finally:
            tasks = [task for _, task in self._busy.values()]
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _due(self, now: float) -> list[DueSupply]:
        """What is due, cuts and reconnections in turn."""
        limit, busy = self._concurrency * BATCHES, list(self._busy)
        cuts = await self._find(Wanted("off", limit, busy, holder=self._holder))
        returns: Sequence[DueSupply] = ()
        if not self._pace.is_full(now):
            full = self._pace.full(now)
            returns = await self._find(Wanted("on", limit, busy, full, self._holder))
        pairs = zip_longest(cuts, returns)
        return [supply for pair in pairs for supply in pair if supply is not None]

    async def _find(self, wanted: Wanted) -> Sequence[DueSupply]:
        async with self._context.database.connect() as conn:
            return await list_due(conn, self._context, wanted)

    async def until_idle(self, installation_ids: Collection[int]) -> None:
        """Return when no attempt on any of these is under way."""
        busy = [task for key, (_, task) in self._busy.items() if key in installation_ids]
        await asyncio.gather(*busy, return_exceptions=True)

    def _begin(self, supply: DueSupply) -> bool:
        """Whether there was room; what is not ours, or must not return yet, is left for later."""
        if supply.installation_id in self._busy:
            return True
        if not self._has_room(supply):
            return False
        unit = self._unit_of(supply.installation_id)
        now = asyncio.get_running_loop().time()
        returns = supply.desired.state == "on"
        if unit is None or (returns and not self._pace.take(supply.place, now)):
            return True
        task = asyncio.create_task(self._attempt_surely(supply, unit))
        self._busy[supply.installation_id] = (supply, task)
        task.add_done_callback(lambda _: self._busy.pop(supply.installation_id, None))
        return True

    def _has_room(self, supply: DueSupply) -> bool:
        alike = sum(s.desired.state == supply.desired.state for s, _ in self._busy.values())
        return len(self._busy) < self._concurrency and alike < self._most_alike

    async def _attempt_surely(self, supply: DueSupply, unit: Unit) -> None:
        try:
            outcome = await attempt(self._context, supply, unit)
        except Exception:
            log.exception("switching_failed", installation_id=supply.installation_id)
            outcome = "failed"
            with suppress(Exception):
                await in_transaction(
                    self._context, postpone, supply, self._context.switching.first_pause_s
                )
        if supply.desired.state == "on" and outcome not in PULSED:
            self._pace.give_back(supply.place)
        metrics.RELAY_ATTEMPTS.labels(outcome=outcome).inc()
