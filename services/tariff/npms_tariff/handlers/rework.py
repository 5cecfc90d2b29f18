"""One installation's correction: worked out from its past, shown, or written and told."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.ids import new_id
from npms_shared.messaging import outbox
from npms_shared.money import format_amount
from npms_tariff.domain import rerating
from npms_tariff.domain.calendar import HOUR_S
from npms_tariff.domain.plan_usage import PlanUsage
from npms_tariff.domain.rating import NoPlanInForce, succeed
from npms_tariff.domain.records import Correction, CorrectionItem
from npms_tariff.domain.rerating import CannotCorrect, Difference, Hours, Measured, Point
from npms_tariff.domain.state import LISTS, NUMBERS, ClosedScope, Rated, RatingState
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.handlers.revive import load_states, revive
from npms_tariff.outgoing import adjustment_charged
from npms_tariff.storage import corrections, plan_usage, states, usage
from npms_tariff.storage.corrections import Past
from npms_tariff.storage.states import StoredState


@dataclass(frozen=True, slots=True)
class Task:
    """What is wrong: from `from_s` on the prices; or in [from_s, to_s) the registers, which are
    `registers`, or which were read on a clock that was `shift_s` slow.
    """

    from_s: int
    to_s: int | None = None
    registers: tuple[Point, ...] = ()
    shift_s: int = 0


@dataclass(frozen=True, slots=True)
class Rework:
    """What an installation's rating is, and what it should be; `from_month` is the first that may
    change. `ended`: it is closed, nothing is running."""

    old: RatingState
    new: RatingState
    rated: Rated
    scopes: list[ClosedScope]
    hours: Hours
    from_month: int
    differences: list[Difference]
    ended: bool

    @property
    def amount_micro(self) -> int:
        return sum(one.amount_micro for one in self.differences)


async def rework(
    conn: AsyncConnection, catalogue: Catalogue, installation_id: int, task: Task
) -> Rework:
    """Work a correction out; nothing is written. Raises CannotCorrect."""
    found = await states.load_states(conn, [installation_id])
    past = await corrections.past_of(conn, installation_id)
    if not found or past is None:
        raise CannotCorrect("unknown_installation", f"{installation_id} is not rated here")
    stored, old = found[0], revive(found[0], catalogue)
    month, start_s = _begin(old, past, task)
    hours = await corrections.hours_from(conn, installation_id, _first_hour_s(start_s, past))
    scopes = await corrections.scopes_from(conn, installation_id, month)
    tariffs = catalogue.versions_for(stored.customer_class)
    measured: list[Measured] = [(one[2], tariffs[one[1]], one[6]) for one in scopes]
    points = _points(old, past, hours, start_s=start_s, task=task, measured=measured)
    new = await _fresh(conn, catalogue, past, stored, old, points[0])
    try:
        rated = rerating.rerate(new, points, ended=past.closed)
    except NoPlanInForce as fault:
        raise CannotCorrect("no_plan", str(fault)) from None
    before = rerating.costs_of(scopes, tariffs, old, from_month=month)
    after = rerating.costs_of(rated.scopes, tariffs, new, from_month=month)
    span = (max(task.from_s, past.opened_s), old.read_at_s)
    found_out = rerating.differences(before, after, old.calendar, span=span)
    _keep_totals(old, new)
    return Rework(
        old,
        new,
        rated,
        scopes,
        hours,
        from_month=month,
        differences=found_out,
        ended=past.closed,
    )


def _begin(old: RatingState, past: Past, task: Task) -> tuple[int, int]:
    """(month, second) from which all is rated anew."""
    first_s = max(task.from_s, past.opened_s)
    if old.tariff is None or old.read_at_s <= first_s:
        raise CannotCorrect("not_rated_yet", "nothing was rated of the time to be corrected")
    month, month_s = rerating.month_of(first_s, old.calendar)
    start_s = max(month_s, past.opened_s)
    if start_s < past.hours_from_s:
        raise CannotCorrect("too_far_back", "the hours of that month are no longer kept")
    return month, start_s


def _first_hour_s(start_s: int, past: Past) -> int:
    """The hour of the opening began before it."""
    return start_s - HOUR_S + 1 if start_s == past.opened_s else start_s


def _points(
    old: RatingState,
    past: Past,
    closed: Hours,
    *,
    start_s: int,
    task: Task,
    measured: list[Measured],
) -> list[Point]:
    hours = closed
    if old.hour_wh:
        wh, micro = closed.get(old.hour_s, (0, 0))
        hours = closed | {old.hour_s: (wh + old.hour_wh, micro + old.hour_micro)}
    start_wh = old.register_wh - sum(wh for wh, _ in hours.values())
    if start_s == past.opened_s and start_wh != past.opening_register_wh:
        raise CannotCorrect("hours_missing", "the hours do not lead back to the opening register")
    end = (old.read_at_s, old.register_wh)
    if old.tariff is not None:
        measured = [*measured, (old.month, old.tariff, old.demand)]
    shapes = rerating.shapes_of(measured, hours, (start_s, end[0]), old.calendar.zone)
    points = rerating.points_of((start_s, start_wh), hours, end, old.calendar, shapes)
    if task.to_s is None:
        return points
    span = (max(task.from_s, past.opened_s), task.to_s)
    if span[1] > old.read_at_s:
        raise CannotCorrect("outside", "the span goes beyond what was rated")
    edges = rerating.edges_between(old.calendar, *span)
    given = task.registers or rerating.shifted(points, span, task.shift_s, edges)
    return rerating.with_registers(points, span, given, edges)


async def _fresh(
    conn: AsyncConnection,
    catalogue: Catalogue,
    past: Past,
    stored: StoredState,
    old: RatingState,
    start: Point,
) -> RatingState:
    """As it stood at the begin: at the first of a month, or opened, perhaps after another meter."""
    fresh = RatingState(
        old.installation_id,
        account_id=old.account_id,
        currency=old.currency,
        calendar=old.calendar,
        register_wh=start[1],
        read_at_s=start[0],
        connected_w=stored.connected_w,
    )
    before_id = past.replaces_installation_id
    if start[0] == past.opened_s and before_id is not None:
        found = await load_states(conn, catalogue, [before_id])
        if before_id in found:
            succeed(fresh, found[before_id])
    return fresh


def _keep_totals(old: RatingState, new: RatingState) -> None:
    """Registers and charges stay; what a correction adds stands in its own record."""
    for name in ("version", "rated_wh", "charged_micro", "readings_billed", "ends_s"):
        setattr(new, name, getattr(old, name))


async def apply(
    conn: AsyncConnection, work: Rework, correction: Correction, *, at: datetime
) -> CorrectionItem:
    """Write what rating should be and tell the differences. Raises StaleState."""
    installation_id = work.old.installation_id
    after = {hour_s: (wh, micro) for _, hour_s, wh, micro in work.rated.hours}
    deltas = rerating.hour_deltas(work.hours, after)
    await _add_usage(conn, work, deltas)
    await corrections.drop_scopes(conn, installation_id, work.from_month)
    if work.rated.scopes:
        await states.add_scopes(conn, work.rated.scopes)
    await states.save_states(conn, [work.new])
    told = [(one, _event(work, one, correction, at)) for one in work.differences]
    await outbox.publish_all(conn, [(event, str(event.account_id)) for _, event in told])
    item = CorrectionItem(
        correction_id=correction.correction_id,
        installation_id=installation_id,
        account_id=work.old.account_id,
        currency=work.old.currency,
        amount_micro=work.amount_micro,
        months=[_month(one, event.adjustment_id) for one, event in told],
        before=_before(work, deltas),
        refusal=None,
        corrected_at=at,
    )
    await corrections.add_item(conn, item)
    return item


async def _add_usage(conn: AsyncConnection, work: Rework, deltas: Hours) -> None:
    """What is over changes by rows added; what is running stands in the state."""
    new, calendar = work.new, work.new.calendar
    days, months = rerating.by_day(deltas, calendar), rerating.by_month(deltas, calendar)
    if not work.ended:
        days.pop(new.day_s, None)
        months.pop(new.month, None)
    for add, changes in (
        (usage.add_hours, deltas),
        (usage.add_days, days),
        (usage.add_months, months),
    ):
        if changes:
            await add(conn, [(new.installation_id, at, *by) for at, by in changes.items()])
    if deltas:
        used = PlanUsage()
        used.correct(new, [(new.installation_id, at, *by) for at, by in deltas.items()])
        await plan_usage.add_usage(conn, used.rows())


def _event(
    work: Rework, one: Difference, correction: Correction, at: datetime
) -> AdjustmentCharged:
    return adjustment_charged(
        work.old,
        kind="correction",
        adjustment_id=new_id(),
        plan_version_id=one.plan_version_id,
        span=(one.from_s, one.to_s),
        lines=one.lines,
        reason=correction.reason,
        at=at,
        energy_wh=one.energy_wh,
    )


def _month(one: Difference, adjustment_id: UUID | None = None) -> dict[str, Any]:
    return {
        "month": one.month,
        "from_s": one.from_s,
        "to_s": one.to_s,
        "energy_wh": one.energy_wh,
        "amount_micro": one.amount_micro,
        "adjustment_id": str(adjustment_id) if adjustment_id else None,
    }


def _before(work: Rework, deltas: Hours) -> dict[str, Any]:
    """What is overwritten; hours only where their energy changes."""
    return {
        "state": {name: getattr(work.old, name) for name in (*NUMBERS, *LISTS)},
        "scopes": [list(scope[1:]) for scope in work.scopes],
        "hours": {
            hour_s: work.hours.get(hour_s, (0, 0)) for hour_s, delta in deltas.items() if delta[0]
        },
    }


def preview_of(work: Rework) -> dict[str, Any]:
    """A line of a preview."""
    months = [
        {
            "month": f"{one.month // 100}-{one.month % 100:02d}",
            "amount": format_amount(one.amount_micro),
            "energy_wh": one.energy_wh,
        }
        for one in work.differences
    ]
    return {
        "installation_id": work.old.installation_id,
        "account_id": work.old.account_id,
        "currency": work.old.currency,
        "amount": format_amount(work.amount_micro),
        "months": months,
    }
