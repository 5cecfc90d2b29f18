"""Installations open and close in the ledger; here rating begins and ends with them, outside of the
partition's consumer."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.ledger import InstallationClosed, InstallationOpened
from npms_shared.messaging.partitions import partition_of
from npms_shared.messaging.subscriptions import Unprocessable
from npms_tariff.domain import ending, refusal
from npms_tariff.domain.rating import NoPlanInForce, finish, rate, succeed
from npms_tariff.domain.state import FOR_EVER_S, RatingState
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.errors import NotClosedYet, NotOpenedYet
from npms_tariff.handlers.load_states import load_states
from npms_tariff.handlers.save_rated import Work, save
from npms_tariff.handlers.settle_silence import settle_silence
from npms_tariff.outgoing import rating_end
from npms_tariff.storage import installations, plans, states
from npms_tariff.storage.installations import Installation


def _installation(event: InstallationOpened) -> Installation:
    return Installation(
        installation_id=event.installation_id,
        account_id=event.account_id,
        customer_id=event.customer_id,
        plan_code=event.plan_code,
        commodity=event.commodity,
        currency=event.currency,
        time_zone=event.time_zone,
        opening_register_wh=event.opening_register_wh,
        opened_at=event.opened_at,
        customer_class=event.customer_class,
        connected_w=event.max_power_w,
        replaces_installation_id=event.replaces_installation_id,
    )


async def _check_plan(conn: AsyncConnection, event: InstallationOpened) -> None:
    plan = await plans.find_plan(conn, event.plan_code)
    if plan is None:
        raise Unprocessable("unknown_plan", f"no plan has the code {event.plan_code!r}")
    if (plan.currency, plan.commodity) != (event.currency, event.commodity):
        raise Unprocessable(
            "plan_does_not_fit",
            f"{plan.plan_code} is for {plan.commodity} in {plan.currency}, "
            f"not {event.commodity} in {event.currency}",
        )
    try:
        ZoneInfo(event.time_zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise Unprocessable("unknown_time_zone", event.time_zone) from None


async def open_installation(
    conn: AsyncConnection, context: Context, event: InstallationOpened
) -> None:
    """Begin rating at the opening register, where the meter before it stood in the month; what
    is known already stays as it is.

    Raises Unprocessable for a plan that does not fit, NotClosedYet to try again.
    """
    await _check_plan(conn, event)
    await installations.lock_installations(conn, [event.installation_id])
    if not await installations.add_installation(conn, _installation(event)):
        return
    await states.add_state(
        conn,
        event.installation_id,
        register_wh=event.opening_register_wh,
        read_at_s=int(event.opened_at.timestamp()),
    )
    if event.replaces_installation_id is not None:
        await _succeed(conn, context, event.installation_id, event.replaces_installation_id)


async def _succeed(conn: AsyncConnection, context: Context, new_id: int, old_id: int) -> None:
    catalogue = await context.catalogues.current(conn)
    found = await load_states(conn, catalogue, [new_id, old_id])
    old, state = found.get(old_id), found[new_id]
    if old is None or old.ends_s == FOR_EVER_S:
        raise NotClosedYet(old_id)
    succeed(state, old)
    await _save(conn, context, Work(touched={new_id: state}), account_id=state.account_id)


async def close_installation(
    conn: AsyncConnection, context: Context, event: InstallationClosed
) -> None:
    """Rate up to the closing register, or end where rating has come beyond it, and say where
    it ended; one that has ended is published again.

    The cached state of the partition's consumer is stale afterwards: saving it fails by its
    version, and it is loaded anew. Raises NotOpenedYet to try again.
    """
    ended = await installations.lock_ended(conn, event.installation_id)
    if ended is None:
        raise NotOpenedYet(event.installation_id)
    if ended.at is None:
        await states.touch_state(conn, event.installation_id)
    catalogue = await context.catalogues.current(conn)
    found = await load_states(conn, catalogue, [event.installation_id])
    state = found[event.installation_id]
    work = Work() if ended.at is not None else await _end(conn, context, state, event)
    work.ends[state.currency] = rating_end(state)
    await _save(conn, context, work, account_id=state.account_id)


async def _end(
    conn: AsyncConnection, context: Context, state: RatingState, event: InstallationClosed
) -> Work:
    work = _rate_closing(state, event)
    await settle_silence(conn, [state], at=context.clock.now())
    await installations.close_installation(
        conn,
        state.installation_id,
        register_wh=state.register_wh,
        at=datetime.fromtimestamp(state.read_at_s, UTC),
    )
    return work


async def _save(conn: AsyncConnection, context: Context, work: Work, *, account_id: int) -> None:
    partition = partition_of(account_id, context.partitions)
    await save(conn, {partition: work}, at=context.clock.now())


def _rate_closing(state: RatingState, event: InstallationClosed) -> Work:
    """The closing register is a reading that no gateway took: it is not counted as one."""
    work = Work(touched={state.installation_id: state})
    rated = work.rated[state.currency]
    at_s, register_wh = ending.last_point(
        state, int(event.closed_at.timestamp()), event.closing_register_wh
    )
    if at_s > state.read_at_s:
        try:
            rate(state, at_s, register_wh, rated)
            state.readings_billed -= 1
        except NoPlanInForce:
            work.parked.append(
                (state.installation_id, state.account_id, at_s, register_wh, refusal.NO_PLAN)
            )
    finish(state, rated)
    return work
