"""Why energy was charged as it was: the versions in force, and where in the blocks it fell."""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Energy, Money, PathId
from npms_tariff.api.usage import From, To
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.explain_rating import Counters, InForce, RatingWhy, explain_rating


class VersionInForceResponse(BaseModel):
    plan_code: str = Field(examples=["household"])
    version: int
    plan_version_id: int
    begins: datetime
    ends: datetime | None = Field(description="when another takes over")
    document: dict[str, Any] = Field(description="its prices, as drafted and activated")

    @classmethod
    def of(cls, in_force: InForce) -> "VersionInForceResponse":
        version = in_force.version
        return cls(
            plan_code=version.plan_code,
            version=version.version,
            plan_version_id=version.plan_version_id,
            begins=in_force.begins,
            ends=in_force.ends,
            document=version.document,
        )


class SlotCounterResponse(BaseModel):
    period: str = Field(examples=["peak"])
    block: int = Field(description="from 1; 0: free units", examples=[1])
    price: Money = Field(description="per kWh, or cubic metre")
    upto: Energy | None = Field(description="the block's upper bound as written; null: open")
    energy: Energy = Field(description="counted so far")


class ScopeCountersResponse(BaseModel):
    """A local month under one version: `cost` is what all charges of it add up to."""

    month: str = Field(examples=["2026-11"])
    plan_version_id: int
    slots: list[SlotCounterResponse]
    days: int = Field(description="local days begun")
    cost: Money | None = Field(description="null while the scope is open")

    @classmethod
    def of(cls, counters: Counters, currency: str) -> "ScopeCountersResponse":
        scope = counters.scope
        return cls(
            month=f"{scope.month // 100:04d}-{scope.month % 100:02d}",
            plan_version_id=scope.plan_version_id,
            slots=[
                SlotCounterResponse(
                    period=slot.period,
                    block=slot.block,
                    price=Money.of(slot.price_micro, currency),
                    upto=None if slot.upto_wh is None else Energy.of(slot.upto_wh),
                    energy=Energy.of(slot.energy_wh),
                )
                for slot in counters.slots
            ],
            days=scope.days,
            cost=None if scope.cost_micro is None else Money.of(scope.cost_micro, currency),
        )


class RatingWhyResponse(BaseModel):
    """What an installation is rated by in a span of time."""

    installation_id: int
    account_id: int
    customer_class: str
    time_zone: str = Field(examples=["Africa/Nairobi"])
    versions: list[VersionInForceResponse]
    scopes: list[ScopeCountersResponse]
    rated_until: datetime
    register_value: Energy = Field(description="at that time")

    @classmethod
    def of(cls, why: RatingWhy) -> "RatingWhyResponse":
        installation = why.installation
        return cls(
            installation_id=installation.installation_id,
            account_id=installation.account_id,
            customer_class=installation.customer_class,
            time_zone=installation.time_zone,
            versions=[VersionInForceResponse.of(in_force) for in_force in why.versions],
            scopes=[
                ScopeCountersResponse.of(counters, installation.currency)
                for counters in why.counters
            ],
            rated_until=datetime.fromtimestamp(why.read_at_s, UTC),
            register_value=Energy.of(why.register_wh),
        )


def why_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["why"])

    @router.get(
        "/installations/{installation_id}/why",
        operation_id="explain_rating",
        responses=problem_responses(404),
    )
    async def explain(
        installation_id: PathId, caller: Caller, begin: From, end: To
    ) -> RatingWhyResponse:
        """The plan's versions in force, and what is counted in each block of the months touched."""
        async with context.database.connect() as conn:
            found = await explain_rating(conn, installation_id, begin, end, principal=caller)
        return RatingWhyResponse.of(found)

    return router
