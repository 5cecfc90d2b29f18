"""What an installation was rated by in a span of time: versions in force, and the counters that say
in which block its energy fell."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.auth.tokens import Principal
from npms_tariff.documents import PlanDocument
from npms_tariff.domain.records import PlanVersion
from npms_tariff.domain.tariff import Tariff
from npms_tariff.handlers.report_usage import RangeRefused
from npms_tariff.storage import explanations, plans, states
from npms_tariff.storage.explanations import RatedInstallation, Scope

MOST_VERSIONS = 1_000


class UnknownInstallation(Exception):
    """There is none, or it is somebody else's."""


@dataclass(frozen=True, slots=True)
class InForce:
    """A version from when on, and until when if another takes over."""

    version: PlanVersion
    begins: datetime
    ends: datetime | None


@dataclass(frozen=True, slots=True)
class Slot:
    """`upto_wh` is the upper bound as the plan has it, None for the last block."""

    period: str
    block: int
    price_micro: int
    upto_wh: int | None
    energy_wh: int


@dataclass(frozen=True, slots=True)
class Counters:
    """A scope with its slots named; of the open one no cost is known yet."""

    scope: Scope
    slots: list[Slot]


@dataclass(frozen=True, slots=True)
class RatingWhy:
    installation: RatedInstallation
    versions: list[InForce]
    counters: list[Counters]
    register_wh: int
    read_at_s: int


async def explain_rating(
    conn: AsyncConnection,
    installation_id: int,
    begin: datetime,
    end: datetime,
    *,
    principal: Principal,
) -> RatingWhy:
    """Raises UnknownInstallation, RangeRefused."""
    if begin >= end:
        raise RangeRefused("empty_range", "`to` must be after `from`")
    found = await explanations.find_rated(conn, installation_id)
    if found is None or not principal.may_see(found.customer_id):
        raise UnknownInstallation
    versions = await plans.versions_of(conn, found.plan_code, after=0, limit=MOST_VERSIONS)
    first, last = (_month(at, ZoneInfo(found.time_zone)) for at in (begin, end))
    scopes = await explanations.closed_scopes(
        conn, installation_id, first_month=first, last_month=last
    )
    (state,) = await states.load_states(conn, [installation_id])
    values = state.values
    if first <= values["month"] <= last:
        scopes.append(_open(values, values["slots"]))
    return RatingWhy(
        installation=found,
        versions=in_force(versions, begin, end),
        counters=_named(scopes, versions, found.customer_class),
        register_wh=values["register_wh"],
        read_at_s=values["read_at_s"],
    )


def _month(at: datetime, zone: ZoneInfo) -> int:
    local = at.astimezone(zone)
    return local.year * 100 + local.month


def _open(values: dict[str, Any], slots: list[int]) -> Scope:
    return Scope(values["plan_version_id"], values["month"], slots, values["days"], None)


def in_force(versions: Sequence[PlanVersion], begin: datetime, end: datetime) -> list[InForce]:
    """Those that rate something of [begin, end): of two with the same date the later number."""
    ordered = sorted(versions, key=lambda version: (version.valid_from, version.version))
    following = [*(version.valid_from for version in ordered[1:]), None]
    return [
        InForce(version, version.valid_from, ends)
        for version, ends in zip(ordered, following, strict=True)
        if version.valid_from < end
        and (ends is None or (ends > begin and ends > version.valid_from))
    ]


def _named(
    scopes: Sequence[Scope], versions: Sequence[PlanVersion], customer_class: str
) -> list[Counters]:
    known = {version.plan_version_id: version for version in versions}
    return [
        Counters(scope, _slots(scope, known[scope.plan_version_id], customer_class))
        for scope in scopes
        if scope.plan_version_id in known
    ]


def _slots(scope: Scope, version: PlanVersion, customer_class: str) -> list[Slot]:
    prices = PlanDocument.model_validate(version.document).prices()
    tariff = Tariff(version.plan_version_id, 0, prices).for_class(customer_class)
    upto = {
        (period.name, number): block.upto_wh
        for period in prices.periods
        for number, block in enumerate(period.blocks, start=1)
    }
    named = zip(tariff.labels, tariff.slot_prices, scope.slots, strict=False)
    return [
        Slot(period, block, price_micro, upto.get((period, block)), energy_wh)
        for (period, block), price_micro, energy_wh in named
    ]
