"""How a meter's register counts, and the readings that came of it."""

from typing import Annotated

from fastapi import APIRouter, Query
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_meter_gateway.api.ratio_schemas import RatioRequest, RatioResponse, ReadingResponse
from npms_meter_gateway.handlers import change_ratio as ratios
from npms_meter_gateway.handlers.change_ratio import Ratio
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.list_readings import list_readings
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Instant, PathId

From = Annotated[Instant, Query(alias="from", examples=["2026-11-01T00:00:00Z"])]
To = Annotated[Instant, Query(alias="to", examples=["2026-12-01T00:00:00Z"])]


def ratios_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/meters/{installation_id}", tags=["readings"])
    _add_ratios(router, context)

    @router.get("/readings", operation_id="list_meter_readings", responses=problem_responses(404))
    async def list_meter_readings(
        installation_id: PathId,
        _caller: Operator,
        *,
        begin: From,
        end: To,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[ReadingResponse]:
        """Accepted readings of [from, to), each beside what its meter showed, the oldest first."""
        after_s = number_in(cursor) or 0
        async with context.database.connect() as conn:
            found = await list_readings(
                conn, installation_id, begin=begin, end=end, after_s=after_s, limit=limit + 1
            )
        page, following = cut(found, limit, lambda reading: reading.at_s)
        items = [ReadingResponse.of(reading, context.poll_interval_s) for reading in page]
        return Page(items=items, next_cursor=following)

    return router


def _add_ratios(router: APIRouter, context: Context) -> None:
    @router.get("/ratios", operation_id="list_ratios", responses=problem_responses(404))
    async def list_ratios(installation_id: PathId, _caller: Operator) -> Page[RatioResponse]:
        """From when on its register counts how, all on one page; before the first it is the
        validated one.
        """
        async with context.database.connect() as conn:
            return await _page(conn, installation_id)

    @router.post(
        "/ratios",
        operation_id="change_ratio",
        status_code=201,
        responses=problem_responses(404, 409),
    )
    async def change_ratio(
        installation_id: PathId, body: RatioRequest, caller: Operator
    ) -> Page[RatioResponse]:
        """From then on the register counts times the ratio; up to then by the one before. Answers
        with all of the meter's."""
        ratio = Ratio(int(body.from_.timestamp()), body.fraction, body.register_.wh)
        async with context.database.transaction() as conn:
            await ratios.change_ratio(
                conn, context, installation_id, ratio, by=caller.actor(), reason=body.reason
            )
            return await _page(conn, installation_id)


async def _page(conn: AsyncConnection, installation_id: int) -> Page[RatioResponse]:
    found = await ratios.list_ratios(conn, installation_id)
    return Page(items=[RatioResponse.of(reckoning) for reckoning in found])
