"""What an account's use says about it, in figures for people."""

from datetime import date, datetime
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from npms_shared.money import parse_amount
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import Amount, Energy, Money, PathId
from npms_tariff.domain.forecast import DAYS_USED, HALVED_AFTER_DAYS
from npms_tariff.domain.insights import Change, PeakHour
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.report_insights import (
    ClassComparison,
    DaysLeft,
    Insights,
    OwnPast,
    report_insights,
)

METHOD = (
    f"what each weekday cost in the last {DAYS_USED} days, a day counting half as much for every "
    f"{HALVED_AFTER_DAYS} days of age; prices and habits as they were"
)
Balance = Annotated[
    Amount | None,
    Query(
        description="what is left to spend, in the account's currency; days left are said of it",
        examples=["250.000000"],
    ),
]


class ChangeResponse(BaseModel):
    energy: Energy
    before: Energy
    change_percent: float | None = Field(
        description="null where nothing was used before", examples=[-4.2]
    )

    @classmethod
    def of(cls, change: Change) -> "ChangeResponse":
        return cls(
            energy=Energy.of(change.energy_wh),
            before=Energy.of(change.before_wh),
            change_percent=change.percent,
        )


class PeakHourResponse(BaseModel):
    """A local hour of the day."""

    hour: int = Field(ge=0, le=23, examples=[19])
    energy: Energy = Field(description="on an average day")
    share_percent: float = Field(examples=[11.5])

    @classmethod
    def of(cls, peak: PeakHour) -> "PeakHourResponse":
        return cls(hour=peak.hour, energy=Energy.of(peak.energy_wh), share_percent=peak.percent)


class OwnPastResponse(ChangeResponse):
    month: str = Field(description="the last full month", examples=["2026-10"])
    against: str = Field(description="the month before, or the same a year ago")

    @classmethod
    def of_months(cls, past: OwnPast) -> "OwnPastResponse":
        compared = ChangeResponse.of(past.change)
        return cls(**compared.model_dump(), month=_month(past.month), against=_month(past.against))


class ClassComparisonResponse(BaseModel):
    """Against others on the same plan and of the same customer class."""

    month: str = Field(description="the last full month", examples=["2026-10"])
    energy: Energy
    median: Energy
    median_cost: Money
    accounts: int = Field(description="how many others; never fewer than ten", examples=[184])

    @classmethod
    def of(cls, found: ClassComparison, currency: str) -> "ClassComparisonResponse":
        return cls(
            month=_month(found.month),
            energy=Energy.of(found.energy_wh),
            median=Energy.of(found.middle.energy_wh),
            median_cost=Money.of(found.middle.amount_micro, currency),
            accounts=found.middle.accounts,
        )


class DaysLeftResponse(BaseModel):
    """An estimate, and what it assumes."""

    days: float | None = Field(description="null: no end within ten years", examples=[12.4])
    runs_out_at: datetime | None
    method: str
    days_of_data: int = Field(examples=[56])

    @classmethod
    def of(cls, left: DaysLeft) -> "DaysLeftResponse":
        days = None if left.days is None else round(left.days, 1)
        return cls(
            days=days,
            runs_out_at=left.runs_out_at,
            method=METHOD,
            days_of_data=left.days_of_data,
        )


class InsightsResponse(BaseModel):
    """Of full local days; what there is too little data for is null, and `withheld` says why."""

    account_id: int
    time_zone: str = Field(examples=["Africa/Nairobi"])
    commodity: str = Field(examples=["electricity"])
    days_of_data: int = Field(description="full days looked at, at most eight weeks")
    until: date | None = Field(description="the last of them")
    trend: ChangeResponse | None = Field(description="the last four weeks against the four before")
    base_load_w: int | None = Field(
        description="power drawn always: the middle of the days' least hours", examples=[85]
    )
    peak_hours: list[PeakHourResponse] | None = Field(description="the highest first")
    own_past: list[OwnPastResponse]
    class_comparison: ClassComparisonResponse | None
    days_left: DaysLeftResponse | None
    billing_held_since: datetime | None = Field(
        description="a meter's register fell: what is used since is charged once that is cleared up"
    )
    withheld: dict[str, str] = Field(examples=[{"trend": "fewer than 56 full days of readings"}])

    @classmethod
    def of(cls, account_id: int, found: Insights) -> "InsightsResponse":
        compared = found.class_comparison
        return cls(
            account_id=account_id,
            time_zone=found.time_zone,
            commodity=found.subject.commodity,
            days_of_data=len(found.days),
            until=found.days[-1].day if found.days else None,
            trend=ChangeResponse.of(found.trend) if found.trend else None,
            base_load_w=found.base_load_w,
            peak_hours=[PeakHourResponse.of(hour) for hour in found.peak_hours]
            if found.peak_hours is not None
            else None,
            own_past=[OwnPastResponse.of_months(past) for past in found.own_past],
            class_comparison=ClassComparisonResponse.of(compared, found.subject.currency)
            if compared
            else None,
            days_left=DaysLeftResponse.of(found.days_left) if found.days_left else None,
            billing_held_since=found.held_since,
            withheld=found.withheld,
        )


def insights_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["usage"])

    @router.get(
        "/accounts/{account_id}/insights",
        operation_id="get_insights",
        dependencies=[COSTLY],
        responses=problem_responses(404),
    )
    async def get_insights(
        account_id: PathId, caller: Caller, balance: Balance = None
    ) -> InsightsResponse:
        """Trend, base load, peak hours, comparison with the account's own past and with its class,
        and how long a balance lasts. Balances are the ledger's: the caller gives it."""
        async with context.database.connect() as conn:
            found = await report_insights(
                conn,
                account_id,
                principal=caller,
                now=context.clock.now(),
                balance_micro=None if balance is None else parse_amount(balance),
            )
        return InsightsResponse.of(account_id, found)

    return router


def _month(number: int) -> str:
    return f"{number // 100:04d}-{number % 100:02d}"
