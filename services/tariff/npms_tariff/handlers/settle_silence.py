"""Readings are back: provisional charges are taken back in one entry, what was used is charged."""

from collections.abc import Collection
from datetime import datetime
from itertools import groupby

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.ids import new_id
from npms_shared.messaging import outbox
from npms_tariff.domain.estimating import total_lines
from npms_tariff.domain.state import RatingState
from npms_tariff.outgoing import Adjustment, adjustment_charged
from npms_tariff.storage import provisionals
from npms_tariff.storage.provisionals import OpenProvisional


async def settle_silence(
    conn: AsyncConnection, rated: Collection[RatingState], *, at: datetime
) -> set[int]:
    """Take back what was estimated of days that rating has reached; returns whose is all settled.

    In the transaction that rates what has come.
    """
    by_id = {state.installation_id: state for state in rated}
    waiting = set()
    settlements = []
    found = await provisionals.lock_open(conn, list(by_id))
    for installation_id, days in groupby(found, lambda day: day.installation_id):
        state = by_id[installation_id]
        estimated = list(days)
        reached = [day for day in estimated if day.day_s < state.read_at_s]
        if len(reached) < len(estimated):
            waiting.add(installation_id)
        if reached:
            event = await _settle_installation(conn, state, reached, at)
            settlements.append((event, str(state.account_id)))
    await outbox.publish_all(conn, settlements)
    return by_id.keys() - waiting


async def _settle_installation(
    conn: AsyncConnection, state: RatingState, days: list[OpenProvisional], at: datetime
) -> AdjustmentCharged:
    adjustment = Adjustment(
        kind="settlement",
        adjustment_id=new_id(),
        plan_version_id=days[-1].plan_version_id,
        from_s=days[0].day_s,
        to_s=days[-1].end_s,
        lines=total_lines((line for day in days for line in day.lines), sign=-1),
        reason=f"readings are back: {len(days)} estimated days are taken back",
    )
    event = adjustment_charged(state, adjustment, at=at)
    await provisionals.settle(
        conn,
        state.installation_id,
        before_s=state.read_at_s,
        settlement_id=event.adjustment_id,
        at=at,
    )
    return event
