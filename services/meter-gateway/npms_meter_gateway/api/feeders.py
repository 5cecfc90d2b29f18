"""Feeders and their losses."""

from typing import Annotated

from fastapi import APIRouter, Query

from npms_meter_gateway.api.feeder_schemas import (
    FeederRequest,
    FeederResponse,
    LossesResponse,
    LossSpanRequest,
)
from npms_meter_gateway.handlers import check_feeders as feeders
from npms_meter_gateway.handlers.check_feeders import FeederTerms
from npms_meter_gateway.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId


def feeders_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/feeders", tags=["feeders"])

    @router.get("", operation_id="list_feeders", responses=problem_responses())
    async def list_feeders(
        _: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[FeederResponse]:
        """In the order of their installations."""
        after = number_in(cursor) or 0
        async with context.database.connect() as conn:
            found = await feeders.list_feeders(conn, after=after, limit=limit + 1)
        page, following = cut(found, limit, lambda feeder: feeder.installation_id)
        return Page(items=[FeederResponse.of(feeder) for feeder in page], next_cursor=following)

    @router.put("/{installation_id}", operation_id="put_feeder", responses=problem_responses(404))
    async def put_feeder(
        installation_id: PathId, body: FeederRequest, caller: Operator
    ) -> FeederResponse:
        """Which meters a feeder supplies, in the place of those before; its days are judged from
        today on."""
        terms = FeederTerms(body.members, body.tolerance_ppm, body.time_zone)
        async with context.database.transaction() as conn:
            feeder = await feeders.put_feeder(
                conn, context, installation_id, terms, by=caller.actor(), reason=body.reason
            )
        return FeederResponse.of(feeder)

    @router.get("/{installation_id}", operation_id="get_feeder", responses=problem_responses(404))
    async def get_feeder(installation_id: PathId, _: Operator) -> FeederResponse:
        """A feeder and its members."""
        async with context.database.connect() as conn:
            return FeederResponse.of(await feeders.find_feeder(conn, installation_id))

    @router.get(
        "/{installation_id}/losses",
        operation_id="get_feeder_losses",
        responses=problem_responses(404),
    )
    async def get_losses(
        installation_id: PathId, span: Annotated[LossSpanRequest, Query()], _: Operator
    ) -> LossesResponse:
        """Day by day what it delivered, what its members counted, and what is lost between."""
        async with context.database.connect() as conn:
            feeder, losses = await feeders.list_losses(conn, installation_id, span.from_, span.to)
        return LossesResponse.of(feeder, losses)

    return router
