"""Feeders and their losses."""

from typing import Annotated

from fastapi import APIRouter, Query

from npms_meter_gateway.api.feeder_schemas import (
    FeederRequest,
    FeederResponse,
    LossDayResponse,
    LossesResponse,
    LossSpanRequest,
)
from npms_meter_gateway.handlers.check_feeders import FeederBook, FeederTerms
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId


def feeders_router(book: FeederBook) -> APIRouter:
    router = APIRouter(prefix="/v1/feeders", tags=["feeders"])

    @router.get("", operation_id="list_feeders", responses=problem_responses())
    async def list_all(
        _: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[FeederResponse]:
        """In the order of their installations."""
        rows = await book.page(after=number_in(cursor) or 0, limit=limit + 1)
        page, following = cut(rows, limit, lambda row: row.installation_id)
        return Page(items=[FeederResponse.of(row) for row in page], next_cursor=following)

    @router.put("/{installation_id}", operation_id="put_feeder", responses=problem_responses(404))
    async def put(installation_id: PathId, body: FeederRequest, caller: Operator) -> FeederResponse:
        """Which meters a feeder supplies, in the place of those before; its days are judged from
        today on."""
        terms = FeederTerms(body.members, body.tolerance_ppm, body.time_zone)
        await book.put(installation_id, terms, by=caller.subject, reason=body.reason)
        return FeederResponse.of(await book.show(installation_id))

    @router.get("/{installation_id}", operation_id="get_feeder", responses=problem_responses(404))
    async def show(installation_id: PathId, _: Operator) -> FeederResponse:
        """A feeder and its members."""
        return FeederResponse.of(await book.show(installation_id))

    @router.get(
        "/{installation_id}/losses",
        operation_id="get_feeder_losses",
        responses=problem_responses(404),
    )
    async def losses(
        installation_id: PathId, span: Annotated[LossSpanRequest, Query()], _: Operator
    ) -> LossesResponse:
        """Day by day what it delivered, what its members counted, and what is lost between."""
        feeder, days = await book.losses(installation_id, span.from_, span.to)
        return LossesResponse(
            feeder=FeederResponse.of(feeder),
            days=[LossDayResponse.of(day, feeder.tolerance_ppm) for day in days],
        )

    return router
