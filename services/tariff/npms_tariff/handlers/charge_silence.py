"""Provisional charges: who is silent is charged an estimate for every whole day of it."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.ids import new_id
from npms_shared.loops import wait_or_stop
from npms_shared.messaging import outbox
from npms_tariff import metrics
from npms_tariff.domain.estimating import (
    DAYS_OF_USE,
    Estimate,
    days_of_use,
    estimate,
    silent_days,
    usual_wh,
)
from npms_tariff.domain.rating import NoPlanInForce
from npms_tariff.domain.state import RatingState
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.load_states import load_states
from npms_tariff.outgoing import Adjustment, adjustment_charged
from npms_tariff.storage import provisionals, states
from npms_tariff.storage.provisionals import Provisional

BATCH = 100
PAUSE_S = 30
HOUR_S, DAY_S = 3600, 86_400
USE_SPAN_S = 40 * DAY_S
"""Days of use further back say nothing of today."""


@dataclass(frozen=True, slots=True)
class Past:
    """What is known of an installation before its silence."""

    opened_s: int
    hours: dict[int, int]
    estimated: set[int]


async def charge_silence_forever(context: Context, stopping: asyncio.Event) -> None:
    """Go through the silent, batch after batch, and begin again after a while."""
    after: int | None = 0
    while not stopping.is_set():
        async with context.database.transaction() as conn:
            after = await charge_batch(conn, context, after or 0)
        if after is None:
            await wait_or_stop(stopping, PAUSE_S)


async def charge_batch(conn: AsyncConnection, context: Context, after: int) -> int | None:
    """Charge some silent installations with ids above `after`; returns the last of them, None
    where there are no more.
    """
    now = context.clock.now()
    now_s = int(now.timestamp())
    catalogue = await context.catalogues.current(conn)
    ids = await provisionals.lock_silent(
        conn,
        after=after,
        since_s=now_s - context.silence_after_h * HOUR_S,
        fresh_s=now_s - DAY_S + HOUR_S,
        limit=BATCH,
    )
    if not ids:
        return None
    silent = await load_states(conn, catalogue, ids)
    pasts = await _pasts(conn, ids)
    for state in silent.values():
        await _charge(conn, state, pasts[state.installation_id], now)
    return ids[-1]


async def _pasts(conn: AsyncConnection, ids: Sequence[int]) -> dict[int, Past]:
    opened = await provisionals.opened_at_s(conn, ids)
    hours = await provisionals.hours_before(conn, ids, span_s=USE_SPAN_S)
    estimated = await provisionals.days_of(conn, ids)
    return {id_: Past(opened[id_], hours[id_], estimated[id_]) for id_ in ids}


async def _charge(conn: AsyncConnection, state: RatingState, past: Past, now: datetime) -> None:
    days = [day for day in _estimates(state, past, now) if day.lines]
    if not days:
        return
    charged = [(day, _provisional(state, day, now)) for day in days]
    await states.touch_state(conn, state.installation_id)
    await provisionals.add_provisionals(conn, [_record(day, event) for day, event in charged])
    await outbox.publish_all(conn, [(event, str(state.account_id)) for _, event in charged])
    metrics.PROVISIONAL_CHARGED.inc(len(charged))


def _estimates(state: RatingState, past: Past, now: datetime) -> list[Estimate]:
    """Of the days not estimated yet; none where there is no day of use to go by."""
    zone = state.calendar.zone
    days = silent_days(state.read_at_s, int(now.timestamp()), zone)
    if not any(day_s not in past.estimated for day_s, _ in days):
        return []
    earliest_s = max(past.opened_s, state.read_at_s - USE_SPAN_S)
    known = days_of_use(state.read_at_s, earliest_s, zone)
    used = list(islice((day for day in known if day[0] not in past.estimated), DAYS_OF_USE))
    if not used:
        return []
    hours = past.hours | {state.hour_s: state.hour_wh}
    try:
        estimates = estimate(state, days, usual_wh(hours, used))
    except NoPlanInForce:
        return []
    return [day for day in estimates if day.day_s not in past.estimated]


def _provisional(state: RatingState, day: Estimate, now: datetime) -> AdjustmentCharged:
    local = datetime.fromtimestamp(day.day_s, UTC).astimezone(state.calendar.zone)
    adjustment = Adjustment(
        kind="provisional",
        adjustment_id=new_id(),
        plan_version_id=day.plan_version_id,
        from_s=day.day_s,
        to_s=day.end_s,
        lines=day.lines,
        reason=f"no readings on {local.date()}: estimated by the days before",
    )
    return adjustment_charged(state, adjustment, at=now)


def _record(day: Estimate, event: AdjustmentCharged) -> Provisional:
    return Provisional(
        installation_id=event.installation_id,
        day_s=day.day_s,
        end_s=day.end_s,
        adjustment_id=event.adjustment_id,
        plan_version_id=day.plan_version_id,
        energy_wh=day.energy_wh,
        amount_micro=event.amount_micro,
        lines=event.lines,
        charged_at=event.told_at,
    )
