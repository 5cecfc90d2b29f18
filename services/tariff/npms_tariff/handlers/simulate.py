"""What accounts would have paid under another version or a draft, from what they used."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_tariff.documents import PlanDocument
from npms_tariff.domain.calendar import HOUR_S
from npms_tariff.domain.checking import InvalidPlan
from npms_tariff.domain.comparison import (
    AccountCompared,
    Begun,
    Compared,
    Progress,
    SimulationStep,
    Total,
)
from npms_tariff.domain.records import Plan
from npms_tariff.domain.tariff import Tariff
from npms_tariff.handlers.compare import Account, Comparer, accounts_of
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.errors import Refused
from npms_tariff.handlers.read_plans import get_plan, get_version
from npms_tariff.plan_schema import flaws_of
from npms_tariff.storage import simulations
from npms_tariff.storage.simulations import Chosen

LONGEST = timedelta(days=366)
LONGEST_MONTH_S = 32 * 86_400
ROWS_A_PAGE = 40_000
MOST_ACCOUNTS_A_PAGE = 50
UNSAVED = -1
"""The id of a version that has none yet."""


class SimulationRefused(Refused):
    """What was chosen cannot be simulated."""


class UnderInvalid(InvalidPlan):
    """The plan to simulate cannot rate."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Whose use (one is given), of when (None: the last local month), under what: a version or
    draft of a plan by number, or a document as one of its versions."""

    account_id: int | None
    customer_class: str | None
    plan_code: str | None
    span: tuple[datetime, datetime] | None
    under_plan: str
    under: int | PlanDocument


async def prepare_simulation(
    conn: AsyncConnection, context: Context, wanted: Wanted
) -> "Simulation":
    """Everything that can be refused is refused here.

    Raises SimulationRefused, UnknownPlan, UnderInvalid.
    """
    now = context.clock.now()
    _check_span(wanted.span, now)
    plan = await get_plan(conn, wanted.under_plan)
    tariff = await _tariff(conn, wanted)
    comparer = Comparer(
        await context.catalogues.current(conn),
        tariff,
        wanted.span,
        now_s=int(now.timestamp()),
        kept_from_s=await simulations.hours_kept_from_s(conn),
    )
    return Simulation(context, _chosen(plan, wanted, now), comparer)


class Simulation:
    """Checked and ready to run; holds one page of accounts, and a connection for a page, at a time:
    a run may be long, and whoever reads its lines slow."""

    def __init__(self, context: Context, chosen: Chosen, comparer: Comparer) -> None:
        self._database, self._chosen, self._comparer = context.database, chosen, comparer
        self._begins_s = chosen.from_s - LONGEST_MONTH_S
        hours = (chosen.to_s - self._begins_s) // HOUR_S
        self._limit = max(1, min(MOST_ACCOUNTS_A_PAGE, ROWS_A_PAGE // hours))

    @property
    def currency(self) -> str:
        return self._chosen.currency

    async def run(self) -> AsyncIterator[SimulationStep]:
        """Begun, an account or one left out after the other with progress in between, the total."""
        async with self._database.connect() as conn:
            counted = await simulations.count_accounts(conn, self._chosen)
        yield Begun(counted.fitting, counted.others)
        total, done, left_out, after = Compared(), 0, 0, 0
        while page := await self._page(after):
            for account in page:
                outcome = self._comparer.compare(account)
                if isinstance(outcome, AccountCompared):
                    total.add(outcome.compared)
                else:
                    left_out += 1
                yield outcome
                await asyncio.sleep(0)
            done, after = done + len(page), page[-1].account_id
            yield Progress(done, max(counted.fitting, done))
        yield Total(done - left_out, left_out, total)

    async def _page(self, after: int) -> list[Account]:
        async with self._database.connect() as conn:
            found = await simulations.page_of_accounts(
                conn, self._chosen, after=after, limit=self._limit
            )
            ids = [meter.installation_id for meter in found]
            hours = await simulations.hours_of(
                conn, ids, from_s=self._begins_s, to_s=self._chosen.to_s
            )
        return accounts_of(found, hours)


def _check_span(span: tuple[datetime, datetime] | None, now: datetime) -> None:
    if span is None:
        return
    begin, end = span
    if begin >= end:
        raise SimulationRefused("empty_range", "`to` must be after `from`")
    if end - begin > LONGEST:
        raise SimulationRefused("range_too_long", f"at most {LONGEST.days} days")
    if end > now:
        raise SimulationRefused("in_future", "only what was used already is simulated")
    if any(at.minute or at.second or at.microsecond for at in span):
        raise SimulationRefused("not_a_full_hour", "`from` and `to` are full local hours")


async def _tariff(conn: AsyncConnection, wanted: Wanted) -> Tariff:
    """As if it had always been in force."""
    if isinstance(wanted.under, PlanDocument):
        document = wanted.under.model_dump(by_alias=True)
    else:
        version = await get_version(conn, wanted.under_plan, wanted.under)
        document = version.document
    flaws = flaws_of(document)
    if flaws:
        raise UnderInvalid(flaws)
    return Tariff(UNSAVED, 0, PlanDocument.model_validate(document).prices())


def _chosen(plan: Plan, wanted: Wanted, now: datetime) -> Chosen:
    """By the widest span of any zone; each account is then held against its own."""
    span = wanted.span or (now - timedelta(days=64), now + timedelta(days=1))
    from_s, to_s = (int(at.timestamp()) for at in span)
    return Chosen(
        wanted.account_id,
        wanted.customer_class,
        wanted.plan_code,
        plan.commodity,
        plan.currency,
        from_s,
        to_s,
    )
