"""What an installation's rating should have been, worked out from its past; nothing is written."""

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.domain import past_registers, rerating
from npms_tariff.domain.calendar import HOUR_S
from npms_tariff.domain.past_registers import CannotCorrect, Hours, Measured, Point
from npms_tariff.domain.rating import NoPlanInForce, succeed
from npms_tariff.domain.rerating import Difference
from npms_tariff.domain.state import ClosedScope, Rated, RatingState
from npms_tariff.handlers.catalogue import Catalogue
from npms_tariff.handlers.load_states import load_states, state_of
from npms_tariff.storage import corrections, states
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
class Rerated:
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
        return sum(difference.amount_micro for difference in self.differences)


async def rerate_installation(
    conn: AsyncConnection, catalogue: Catalogue, installation_id: int, task: Task
) -> Rerated:
    """Raises CannotCorrect."""
    found = await states.load_states(conn, [installation_id])
    past = await corrections.past_of(conn, installation_id)
    if not found or past is None:
        raise CannotCorrect("unknown_installation", f"{installation_id} is not rated here")
    stored, old = found[0], state_of(found[0], catalogue)
    month, start_s = _begin(old, past, task)
    hours = await corrections.hours_from(conn, installation_id, _first_hour_s(start_s, past))
    scopes = await corrections.scopes_from(conn, installation_id, month)
    tariffs = catalogue.versions_for(stored.customer_class)
    measured: list[Measured] = [(scope[2], tariffs[scope[1]], scope[6]) for scope in scopes]
    points = _points(old, past, hours, start_s=start_s, task=task, measured=measured)
    new = await _fresh(conn, catalogue, past, stored, old, points[0])
    try:
        rated = rerating.rerate(new, points, ended=past.closed)
    except NoPlanInForce as fault:
        raise CannotCorrect("no_plan", str(fault)) from None
    before = rerating.costs_of(scopes, tariffs, old, from_month=month)
    after = rerating.costs_of(rated.scopes, tariffs, new, from_month=month)
    span = (max(task.from_s, past.opened_s), old.read_at_s)
    found_differences = rerating.differences(before, after, old.calendar, span=span)
    _keep_totals(old, new)
    return Rerated(
        old,
        new,
        rated,
        scopes,
        hours,
        from_month=month,
        differences=found_differences,
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
    shapes = past_registers.shapes_of(measured, hours, (start_s, end[0]), old.calendar.zone)
    points = past_registers.points_of((start_s, start_wh), hours, end, old.calendar, shapes)
    if task.to_s is None:
        return points
    span = (max(task.from_s, past.opened_s), task.to_s)
    if span[1] > old.read_at_s:
        raise CannotCorrect("outside", "the span goes beyond what was rated")
    edges = past_registers.edges_between(old.calendar, *span)
    registers = task.registers or past_registers.shifted(points, span, task.shift_s, edges)
    return past_registers.with_registers(points, span, registers, edges)


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
