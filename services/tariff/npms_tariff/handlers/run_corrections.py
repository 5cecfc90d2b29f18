"""Approved corrections are worked off in small transactions, each installation once."""

import asyncio
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.loops import wait_or_stop
from npms_tariff import metrics
from npms_tariff.domain.past_registers import CannotCorrect
from npms_tariff.domain.records import Correction, CorrectionItem
from npms_tariff.handlers.apply_correction import apply_correction
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.correct import task_of
from npms_tariff.handlers.rerate_installation import rerate_installation
from npms_tariff.storage import corrections, states

BATCH = 20
"""Installations whose readings wait for one transaction."""
PAUSE_S = 2


async def correct_forever(context: Context, stopping: asyncio.Event) -> None:
    """Work off what is approved, batch after batch, and see again soon."""
    while not stopping.is_set():
        async with context.database.transaction() as conn:
            found = await correct_batch(conn, context)
        if not found:
            await wait_or_stop(stopping, PAUSE_S)


async def correct_batch(conn: AsyncConnection, context: Context) -> bool:
    """Some installations of the approved correction that waits longest; False without one.

    Where it stops, by whatever, the next turn goes on: progress commits with the work.
    Raises StaleState.
    """
    correction = await corrections.take_approved(conn)
    if correction is None:
        return False
    catalogue, now = await context.catalogues.current(conn), context.clock.now()
    ids = await _next_ids(conn, correction)
    if not ids:
        await corrections.finish(conn, correction.correction_id, at=now)
        return True
    items = [await _correct(conn, catalogue, correction, id_, now) for id_ in ids]
    refused = sum(item.refusal is not None for item in items)
    await corrections.note_progress(
        conn,
        correction.correction_id,
        reached_id=ids[-1],
        corrected=len(items) - refused,
        refused=refused,
    )
    metrics.INSTALLATIONS_CORRECTED.inc(len(items) - refused)
    return True


async def _correct(
    conn: AsyncConnection,
    catalogue: Catalogue,
    correction: Correction,
    installation_id: int,
    now: datetime,
) -> CorrectionItem:
    await corrections.lock_state(conn, installation_id)
    task = task_of(correction.request)
    try:
        rerated = await rerate_installation(conn, catalogue, installation_id, task)
    except CannotCorrect as fault:
        return await _refuse(conn, correction, installation_id, fault, now)
    return await apply_correction(conn, rerated, correction, at=now)


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
