"""What a correction of one installation changes: shown, or written and published."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.contracts.tariff import AdjustmentCharged
from npms_shared.ids import new_id
from npms_shared.messaging import outbox
from npms_shared.money import format_amount
from npms_tariff.domain import rerating
from npms_tariff.domain.past_registers import Hours
from npms_tariff.domain.plan_usage import PlanUsage
from npms_tariff.domain.records import Correction, CorrectionItem
from npms_tariff.domain.rerating import Difference
from npms_tariff.domain.state import LISTS, NUMBERS
from npms_tariff.handlers.rerate_installation import Rerated
from npms_tariff.outgoing import Adjustment, adjustment_charged
from npms_tariff.storage import corrections, plan_usage, states, usage


async def apply_correction(
    conn: AsyncConnection, rerated: Rerated, correction: Correction, *, at: datetime
) -> CorrectionItem:
    """Write what rating should be and publish the differences. Raises StaleState."""
    installation_id = rerated.old.installation_id
    after = {hour_s: (wh, micro) for _, hour_s, wh, micro in rerated.rated.hours}
    deltas = rerating.hour_deltas(rerated.hours, after)
    await _add_usage(conn, rerated, deltas)
    await corrections.drop_scopes(conn, installation_id, rerated.from_month)
    if rerated.rated.scopes:
        await states.add_scopes(conn, rerated.rated.scopes)
    await states.save_states(conn, [rerated.new])
    adjustments = [
        (difference, _adjustment(rerated, difference, correction, at))
        for difference in rerated.differences
    ]
    await outbox.publish_all(conn, [(event, str(event.account_id)) for _, event in adjustments])
    item = CorrectionItem(
        correction_id=correction.correction_id,
        installation_id=installation_id,
        account_id=rerated.old.account_id,
        currency=rerated.old.currency,
        amount_micro=rerated.amount_micro,
        months=[_month(difference, event.adjustment_id) for difference, event in adjustments],
        before=_before(rerated, deltas),
        refusal=None,
        corrected_at=at,
    )
    await corrections.add_item(conn, item)
    return item


async def _add_usage(conn: AsyncConnection, rerated: Rerated, deltas: Hours) -> None:
    """What is over changes by rows added; what is running stands in the state."""
    new, calendar = rerated.new, rerated.new.calendar
    days, months = rerating.by_day(deltas, calendar), rerating.by_month(deltas, calendar)
    if not rerated.ended:
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


def _adjustment(
    rerated: Rerated, difference: Difference, correction: Correction, at: datetime
) -> AdjustmentCharged:
    adjustment = Adjustment(
        kind="correction",
        adjustment_id=new_id(),
        plan_version_id=difference.plan_version_id,
        from_s=difference.from_s,
        to_s=difference.to_s,
        lines=difference.lines,
        reason=correction.reason,
        energy_wh=difference.energy_wh,
    )
    return adjustment_charged(rerated.old, adjustment, at=at)


def _month(difference: Difference, adjustment_id: UUID) -> dict[str, Any]:
    return {
        "month": difference.month,
        "from_s": difference.from_s,
        "to_s": difference.to_s,
        "energy_wh": difference.energy_wh,
        "amount_micro": difference.amount_micro,
        "adjustment_id": str(adjustment_id),
    }


def _before(rerated: Rerated, deltas: Hours) -> dict[str, Any]:
    """What is overwritten; hours only where their energy changes."""
    return {
        "state": {name: getattr(rerated.old, name) for name in (*NUMBERS, *LISTS)},
        "scopes": [list(scope[1:]) for scope in rerated.scopes],
        "hours": {
            hour_s: rerated.hours.get(hour_s, (0, 0))
            for hour_s, delta in deltas.items()
            if delta[0]
        },
    }


def preview_of(rerated: Rerated) -> dict[str, Any]:
    """A line of a preview."""
    months = [
        {
            "month": f"{difference.month // 100}-{difference.month % 100:02d}",
            "amount": format_amount(difference.amount_micro),
            "energy_wh": difference.energy_wh,
        }
        for difference in rerated.differences
    ]
    return {
        "installation_id": rerated.old.installation_id,
        "account_id": rerated.old.account_id,
        "currency": rerated.old.currency,
        "amount": format_amount(rerated.amount_micro),
        "months": months,
    }
