"""Approved corrections are worked off in small transactions, each installation once."""

import asyncio
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.loops import Loop, wait_or_stop
from npms_tariff import metrics
from npms_tariff.domain.records import Correction, CorrectionItem
from npms_tariff.domain.rerating import CannotCorrect
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.handlers.correct import task_of
from npms_tariff.handlers.rework import apply, rework
from npms_tariff.storage import corrections, states

BATCH = 20
"""Installations whose readings wait for one transaction."""
PAUSE_S = 2


class Corrector:
    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._catalogue = Catalogue()

    async def correct_batch(self, conn: AsyncConnection) -> bool:
        """Some installations of the approved correction that waits longest; False without one.

        Where it stops, by whatever, the next turn goes on: progress commits with the work.
        """
        correction = await corrections.take_approved(conn)
        if correction is None:
            return False
        await self._catalogue.refresh(conn)
        now = self._clock.now()
        ids = await _next_ids(conn, correction)
        if not ids:
            await corrections.finish(conn, correction.correction_id, at=now)
            return True
        done = [await self._correct(conn, correction, one, now) for one in ids]
        refused = sum(item.refusal is not None for item in done)
        await corrections.note_progress(
            conn,
            correction.correction_id,
            reached_id=ids[-1],
            corrected=len(done) - refused,
            refused=refused,
        )
        metrics.INSTALLATIONS_CORRECTED.inc(len(done) - refused)
        return True

    async def _correct(
        self, conn: AsyncConnection, correction: Correction, installation_id: int, now: datetime
    ) -> CorrectionItem:
        await corrections.lock_state(conn, installation_id)
        try:
            task = task_of(correction.request)
            work = await rework(conn, self._catalogue, installation_id, task)
        except CannotCorrect as fault:
            return await _refuse(conn, correction, installation_id, fault, now)
        return await apply(conn, work, correction, at=now)


async def _next_ids(conn: AsyncConnection, correction: Correction) -> list[int]:
    after, only = correction.reached_id, correction.installation_id
    if only is not None:
        return [only] if after < only else []
    assert correction.plan_version_id is not None
    return await corrections.affected(conn, correction.plan_version_id, after=after, limit=BATCH)


async def _refuse(
    conn: AsyncConnection,
    correction: Correction,
    installation_id: int,
    fault: CannotCorrect,
    now: datetime,
) -> CorrectionItem:
    (stored,) = await states.load_states(conn, [installation_id])
    item = CorrectionItem(
        correction_id=correction.correction_id,
        installation_id=installation_id,
        account_id=stored.account_id,
        currency=stored.currency,
        amount_micro=0,
        months=[],
        before={},
        refusal=fault.code,
        corrected_at=now,
    )
    await corrections.add_item(conn, item)
    return item


def correction_loop(database: Database, corrector: Corrector) -> Loop:
    """Work off what is approved, batch after batch, and look again soon."""

    async def correct(stopping: asyncio.Event) -> None:
        while not stopping.is_set():
            async with database.transaction() as conn:
                found = await corrector.correct_batch(conn)
            if not found:
                await wait_or_stop(stopping, PAUSE_S)

    return correct
