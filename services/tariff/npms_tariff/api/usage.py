"""What an account used and what it cost."""

from typing import Annotated

from fastapi import APIRouter, Query

from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Instant, PathId
from npms_tariff.api.schemas import UsageResponse
from npms_tariff.domain.records import Resolution
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.report_usage import UsageQuery, report_usage

From = Annotated[
    Instant,
    Query(
        alias="from",
        description="with an offset; hours that begin at or after it",
        examples=["2026-11-02T00:00:00+03:00"],
    ),
]
To = Annotated[
    Instant,
    Query(
        alias="to",
        description="with an offset; hours that begin before it",
        examples=["2026-11-03T00:00:00+03:00"],
    ),
]


def usage_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["usage"])

    @router.get(
        "/accounts/{account_id}/usage",
        operation_id="get_usage",
        responses=problem_responses(404),
    )
    async def get_usage(
        account_id: PathId, caller: Caller, begin: From, end: To, resolution: Resolution = "hour"
    ) -> UsageResponse:
        """Energy and cost by hour, day or month of the account's local time, the running hour
        included. A customer sees their own accounts."""
        query = UsageQuery(account_id, resolution, begin, end)
        async with context.database.connect() as conn:
            report = await report_usage(conn, query, principal=caller)
        return UsageResponse.of(report)

    return router
