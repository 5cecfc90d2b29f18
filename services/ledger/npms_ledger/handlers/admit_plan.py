"""Which plans an account is opened on: what could not be rated is refused here."""

from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers.errors import CurrencyMismatch, PlanUnfit, PlanUnknown
from npms_ledger.storage import catalogue


async def admit_plan(
    conn: AsyncConnection, plan_code: str, *, currency: str, commodity: str, now: datetime
) -> None:
    """Raises PlanUnknown, PlanUnfit, CurrencyMismatch.

    A plan whose commodity was never told (activated before that was said) is taken.
    """
    plan = await catalogue.plan(conn, plan_code)
    if plan is None:
        raise PlanUnknown(plan_code)
    if plan.currency != currency:
        raise CurrencyMismatch("tariff plan", plan.currency, currency)
    if plan.commodity not in (None, commodity):
        detail = f"the plan {plan_code!r} is for {plan.commodity}, the usage point for {commodity}"
        raise PlanUnfit("commodity_mismatch", detail)
    if plan.valid_from > now:
        detail = f"the plan {plan_code!r} has no version in force before {plan.valid_from}"
        raise PlanUnfit("plan_not_in_force", detail)
