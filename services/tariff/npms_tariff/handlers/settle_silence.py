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
from npms_tariff.outgoing import adjustment_charged
from npms_tariff.storage import provisionals
from npms_tariff.storage.provisionals import OpenProvisional


async def settle(
    conn: AsyncConnection, rated: Collection[RatingState], *, at: datetime
) -> set[int]:
    """Take back what was estimated of days that rating has reached; returns whose is all settled.

    In the transaction that rates what has come.
    """
    by_id = {state.installation_id: state for state in rated}
    waiting = set()
    said = []
    found = await provisionals.lock_open(conn, list(by_id))
    for installation_id, days in groupby(found, lambda one: one.installation_id):
        state = by_id[installation_id]
        several = list(days)
        reached = [day for day in several if day.day_s < state.read_at_s]
        if len(reached) < len(several):
            waiting.add(installation_id)
        if reached:
            said.append((await _settle_one(conn, state, reached, at), str(state.account_id)))
    await outbox.publish_all(conn, said)
    return by_id.keys() - waiting


async def _settle_one(
    conn: AsyncConnection, state: RatingState, days: list[OpenProvisional], at: datetime
) -> AdjustmentCharged:
    event = adjustment_charged(
        state,
        kind="settlement",
        adjustment_id=new_id(),
        plan_version_id=days[-1].plan_version_id,
        span=(days[0].day_s, days[-1].end_s),
        lines=total_lines((line for day in days for line in day.lines), sign=-1),
        reason=f"readings are back: {len(days)} estimated days are taken back",
        at=at,
    )
    await provisionals.settle(
        conn,
        state.installation_id,
        before_s=state.read_at_s,
        settlement_id=event.adjustment_id,
        at=at,
    )
    return event
