"""The hot path: batches of readings become batches of charges, partition by partition."""

from collections.abc import Collection
from dataclasses import dataclass, field

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.meter_gateway import ReadingsBatch
from npms_shared.messaging.subscriptions import Portion
from npms_tariff import metrics
from npms_tariff.domain import refusal
from npms_tariff.domain.rating import NoPlanInForce, rate
from npms_tariff.domain.state import RatingState
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.hold_billing import lift_holds
from npms_tariff.handlers.load_states import load_states
from npms_tariff.handlers.save_rated import Work, save
from npms_tariff.handlers.settle_silence import settle_silence
from npms_tariff.storage.holds import held_of
from npms_tariff.storage.installations import lock_installations
from npms_tariff.storage.provisionals import with_open
from npms_tariff.storage.states import StaleState

CACHED_INSTALLATIONS = 250_000
"""Per partition; beyond, a partition's cache begins anew."""


@dataclass(slots=True)
class Cache:
    """States of one partition as last committed, under one catalogue.

    `estimated` are those with provisional charges that wait for a reading.
    """

    catalogue: Catalogue
    states: dict[int, RatingState] = field(default_factory=dict)
    estimated: set[int] = field(default_factory=set)


class ReadingRater:
    """States are changed in memory first: the frame calls `forget` when that was not committed."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._caches: dict[int, Cache] = {}

    def forget(self, partition: int) -> None:
        self._caches.pop(partition, None)

    async def rate_readings(
        self, conn: AsyncConnection, portions: list[Portion[ReadingsBatch]]
    ) -> None:
        """Rate what can be, keep the rest aside with a reason. Raises StaleState."""
        context = self._context
        catalogue, now = await context.catalogues.current(conn), context.clock.now()
        horizon_s = int((now + context.future_tolerance).timestamp())
        works: dict[int, Work] = {}
        for partition, received in portions:
            batches = [message.batch for message in received]
            await self._lift(conn, partition, batches)
            cache = await self._cache(conn, catalogue, partition, batches)
            work = works[partition] = Work()
            for batch in batches:
                rate_batch(cache.states, batch, work, horizon_s=horizon_s)
            if back := cache.estimated & work.touched.keys():
                rated = [work.touched[installation_id] for installation_id in back]
                cache.estimated -= await settle_silence(conn, rated, at=now)
        try:
            await _prove_holds(conn, works.values())
            await save(conn, works, at=now)
        except StaleState:
            metrics.STATE_STALE.inc()
            raise
        readings = sum(len(message.batch) for _, received in portions for message in received)
        _count(works.values(), readings)

    async def _lift(
        self, conn: AsyncConnection, partition: int, batches: list[ReadingsBatch]
    ) -> None:
        """End holds that operators of the gateway have ended; what was cached of them is old."""
        lifts = [lift for batch in batches for lift in batch.lifts]
        if not lifts:
            return
        await lift_holds(conn, self._context, lifts)
        cache = self._caches.get(partition)
        if cache is not None:
            for lift in lifts:
                cache.states.pop(lift.installation_id, None)

    async def _cache(
        self,
        conn: AsyncConnection,
        catalogue: Catalogue,
        partition: int,
        batches: list[ReadingsBatch],
    ) -> Cache:
        """The partition's cache, with every installation of the batches that is known."""
        wanted = {id_ for batch in batches for id_ in batch.installation_id}
        cache = self._caches.get(partition)
        if cache is None or cache.catalogue is not catalogue:
            cache = self._caches[partition] = Cache(catalogue)
        states = cache.states
        missing = wanted - states.keys()
        if missing:
            if len(states) + len(missing) > CACHED_INSTALLATIONS:
                states.clear()
                missing = wanted
            await _load(conn, cache, missing)
            cache.estimated |= await with_open(conn, list(missing))
        return cache


async def _load(conn: AsyncConnection, cache: Cache, missing: set[int]) -> None:
    """Those not found are sought again once nobody can be opening them."""
    states = cache.states
    states.update(await load_states(conn, cache.catalogue, list(missing)))
    unknown = list(missing - states.keys())
    if unknown:
        await lock_installations(conn, unknown)
        states.update(await load_states(conn, cache.catalogue, unknown))
    for installation_id in await held_of(conn, list(missing)):
        states[installation_id].ends_s = refusal.HELD_S


async def _prove_holds(conn: AsyncConnection, works: Collection[Work]) -> None:
    """What was kept aside on hold is still held. Raises StaleState."""
    held = {parked[0] for work in works for parked in work.parked if parked[4] == refusal.ON_HOLD}
    held -= {fall[0] for work in works for fall in work.fallen}
    if held and (still := await held_of(conn, list(held))) != held:
        raise StaleState(len(held), len(still))


def rate_batch(
    states: dict[int, RatingState], batch: ReadingsBatch, work: Work, *, horizon_s: int
) -> None:
    """Rate a batch's readings one after the other; nothing here waits for anything."""
    rated, touched = work.rated, work.touched
    for installation_id, account_id, at_s, register_wh in zip(
        batch.installation_id, batch.account_id, batch.taken_at_s, batch.register_wh, strict=True
    ):
        state = states.get(installation_id)
        if (
            state is None
            or not state.read_at_s < at_s <= state.ends_s
            or register_wh < state.register_wh
            or at_s > horizon_s
            or state.account_id != account_id
        ):
            reason = refusal.reason_against(
                state,
                account_id=account_id,
                at_s=at_s,
                register_wh=register_wh,
                horizon_s=horizon_s,
            )
            assert reason is not None
            if reason == refusal.REGISTER_BACKWARDS:
                _hold(state, at_s, register_wh, work)
            work.parked.append((installation_id, account_id, at_s, register_wh, reason))
            continue
        try:
            rate(state, at_s, register_wh, rated[state.currency])
        except NoPlanInForce:
            parked = (installation_id, account_id, at_s, register_wh, refusal.NO_PLAN)
            work.parked.append(parked)
            continue
        touched[installation_id] = state


def _hold(state: RatingState | None, at_s: int, register_wh: int, work: Work) -> None:
    """Rate nothing more of an installation whose register fell."""
    assert state is not None
    work.fallen.append((state.installation_id, at_s, register_wh, state.register_wh))
    state.ends_s = refusal.HELD_S


def _count(works: Collection[Work], readings: int) -> None:
    parked = [reason for work in works for *_, reason in work.parked]
    metrics.READINGS_RATED.inc(readings - len(parked))
    charges = (len(rated.charges) for work in works for rated in work.rated.values())
    metrics.CHARGES_MADE.inc(sum(charges))
    for reason in parked:
        metrics.READINGS_PARKED.labels(reason=reason).inc()
