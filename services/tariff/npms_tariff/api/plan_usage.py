"""What the installations of a plan used together."""

from datetime import UTC, date, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Energy, Money
from npms_tariff.api.schemas import PLAN_CODE
from npms_tariff.domain.records import PlanUse, Resolution
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.report_plan_usage import PlanUsageReport, report_plan_usage

FIRST_DAY, LAST_DAY = date(1971, 1, 1), date(2200, 12, 31)
From = Annotated[
    date,
    Query(
        alias="from",
        ge=FIRST_DAY,
        le=LAST_DAY,
        description="the first day; of hours in UTC, else local",
        examples=["2026-11-01"],
    ),
]
To = Annotated[
    date,
    Query(
        alias="to",
        ge=FIRST_DAY,
        le=LAST_DAY,
        description="the first day no longer wanted",
        examples=["2026-12-01"],
    ),
]


class PlanUsageItemResponse(BaseModel):
    """One version in one hour, day or month."""

    at: str = Field(
        description="an hour's beginning in UTC, a local day, or a local month",
        examples=["2026-11-02T05:00:00Z", "2026-11-02", "2026-11"],
    )
    version: int = Field(examples=[1])
    installation_hours: int = Field(
        description="hours in which an installation used or owed anything", examples=[1840]
    )
    energy: Energy
    cost: Money

    @classmethod
    def of(cls, use: PlanUse, report: PlanUsageReport) -> "PlanUsageItemResponse":
        return cls(
            at=_at(use.at, report.resolution),
            version=use.version,
            installation_hours=use.installation_hours,
            energy=Energy.of(use.energy_wh),
            cost=Money.of(use.amount_micro, report.plan.currency),
        )


class PlanUsageResponse(BaseModel):
    """Hours count once they are over for an installation: the running one is not in here."""

    plan_code: str
    commodity: str
    resolution: Resolution
    items: list[PlanUsageItemResponse]

    @classmethod
    def of(cls, report: PlanUsageReport) -> "PlanUsageResponse":
        return cls(
            plan_code=report.plan.plan_code,
            commodity=report.plan.commodity,
            resolution=report.resolution,
            items=[PlanUsageItemResponse.of(use, report) for use in report.items],
        )


def plan_usage_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["usage"])

    @router.get(
        "/plans/{plan_code}/usage",
        operation_id="get_plan_usage",
        responses=problem_responses(404),
    )
    async def get_plan_usage(
        plan_code: Annotated[str, Path(pattern=PLAN_CODE)],
        _: Operator,
        first: From,
        end: To,
        resolution: Resolution = "day",
    ) -> PlanUsageResponse:
        """Energy and cost of all installations on the plan, version by version."""
        async with context.database.connect() as conn:
            report = await report_plan_usage(
                conn, plan_code, resolution=resolution, span=(first, end)
            )
        return PlanUsageResponse.of(report)

    return router


def _at(at: int, resolution: Resolution) -> str:
    if resolution == "hour":
        return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    month = at if resolution == "month" else at // 100
    text = f"{month // 100:04d}-{month % 100:02d}"
    return text if resolution == "month" else f"{text}-{at % 100:02d}"
