"""What a sum of money would buy now, or units cost: a trial that changes nothing."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_tariff.domain.rating import NoPlanInForce
from npms_tariff.domain.records import PlanVersion
from npms_tariff.domain.vending import CannotSell, Position, Sale, money_for, position_at, units_for
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.errors import Refused
from npms_tariff.handlers.load_states import load_states
from npms_tariff.handlers.report_usage import UnknownAccount
from npms_tariff.storage import installations, plans
from npms_tariff.storage.installations import OpenInstallation


class QuoteRefused(Refused):
    """There is no quote."""


@dataclass(frozen=True, slots=True)
class QuoteCommand:
    """Money (micro-units) or units (Wh), of which one is given; an account with several meters
    names the one."""

    account_id: int
    installation_id: int | None
    money_micro: int | None
    currency: str | None
    energy_wh: int | None


@dataclass(frozen=True, slots=True)
class Quote:
    """The sale as it would be at `at`."""

    installation: OpenInstallation
    version: PlanVersion
    at: datetime
    position: Position
    sale: Sale


async def quote_units(
    conn: AsyncConnection, context: Context, wanted: QuoteCommand, *, principal: Principal
) -> Quote:
    """Raises UnknownAccount, QuoteRefused, CannotSell."""
    installation = await _find_installation(conn, wanted, principal)
    if wanted.currency not in {None, installation.currency}:
        detail = f"the account is in {installation.currency}"
        raise QuoteRefused("currency_mismatch", detail)
    catalogue, now = await context.catalogues.current(conn), context.clock.now()
    states = await load_states(conn, catalogue, [installation.installation_id])
    try:
        position = position_at(states[installation.installation_id], int(now.timestamp()))
    except NoPlanInForce:
        detail = f"no version of {installation.plan_code} was in force at the last reading"
        raise CannotSell("no_plan", detail) from None
    version = await plans.find_version_by_id(conn, position.tariff.version_id)
    assert version is not None
    return Quote(installation, version, now, position, _sell(position, wanted))


async def _find_installation(
    conn: AsyncConnection, wanted: QuoteCommand, principal: Principal
) -> OpenInstallation:
    holder = await installations.find_holder(conn, wanted.account_id)
    if holder is None or not principal.may_see(holder.customer_id):
        raise UnknownAccount
    found = await installations.open_of_account(conn, wanted.account_id)
    chosen = [meter for meter in found if wanted.installation_id in {None, meter.installation_id}]
    if not chosen:
        raise QuoteRefused("no_installation", "the account has no such open installation")
    if len(chosen) > 1:
        ids = ", ".join(str(meter.installation_id) for meter in chosen)
        raise QuoteRefused("several_installations", f"name one of the installations {ids}")
    return chosen[0]


def _sell(position: Position, wanted: QuoteCommand) -> Sale:
    if wanted.money_micro is not None:
        return units_for(position, wanted.money_micro)
    assert wanted.energy_wh is not None
    return money_for(position, wanted.energy_wh)
