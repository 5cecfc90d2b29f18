"""How a meter's register counts, and the readings that came of it."""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from sqlalchemy import Row

from npms_meter_gateway.api.ratio_schemas import RatioRequest, RatioResponse, ReadingResponse
from npms_meter_gateway.handlers.change_ratio import Ratio, RatioDesk
from npms_meter_gateway.handlers.decide_held import Word
from npms_meter_gateway.handlers.list_readings import list_readings
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Energy, Instant, PathId

From = Annotated[Instant, Query(alias="from", examples=["2026-11-01T00:00:00Z"])]
To = Annotated[Instant, Query(alias="to", examples=["2026-12-01T00:00:00Z"])]


def ratios_router(database: Database, desk: RatioDesk, *, interval_s: float) -> APIRouter:
    router = APIRouter(prefix="/v1/meters/{installation_id}", tags=["readings"])
    _add_ratios(router, desk)

    @router.get("/readings", operation_id="list_meter_readings", responses=problem_responses(404))
    async def list_all(
        installation_id: PathId,
        _caller: Operator,
        *,
        begin: From,
        end: To,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[ReadingResponse]:
        """Accepted readings of [from, to), each beside what its meter showed, the oldest first."""
        found = await list_readings(
            database,
            installation_id,
            begin=begin,
            end=end,
            after_s=number_in(cursor) or 0,
            limit=limit + 1,
        )
        page, following = cut(found, limit, lambda one: one[0].at_s)
        items = [_reading(row, raw_wh, interval_s) for row, raw_wh in page]
        return Page(items=items, next_cursor=following)

    return router


def _add_ratios(router: APIRouter, desk: RatioDesk) -> None:
    @router.get("/ratios", operation_id="list_ratios", responses=problem_responses(404))
    async def list_ratios(installation_id: PathId, _caller: Operator) -> Page[RatioResponse]:
        """From when on its register counts how; before the first it is the validated one."""
        return await _ratios(desk, installation_id)

    @router.post(
        "/ratios",
        operation_id="change_ratio",
        status_code=201,
        responses=problem_responses(404, 409),
    )
    async def change(
        installation_id: PathId, body: RatioRequest, caller: Operator
    ) -> Page[RatioResponse]:
        """From then on the register counts times the ratio; up to then by the one before. Answers
        with all of the meter's."""
        ratio = Ratio(int(body.from_.timestamp()), body.fraction, body.register_.wh)
        await desk.change(installation_id, ratio, Word(caller.subject, body.reason))
        return await _ratios(desk, installation_id)


async def _ratios(desk: RatioDesk, installation_id: int) -> Page[RatioResponse]:
    return Page(items=[_ratio(row) for row in await desk.list_of(installation_id)])


def _ratio(row: Row[Any]) -> RatioResponse:
    return RatioResponse.model_validate(
        {
            "from": row.from_at,
            "ratio": f"{row.ratio:f}",
            "register": Energy.of(row.raw_wh),
            "validated": Energy.of(row.base_wh),
            "by": row.by_subject,
            "reason": row.reason,
            "decided_at": row.decided_at,
        }
    )


def _reading(row: Row[Any], raw_wh: int, interval_s: float) -> ReadingResponse:
    return ReadingResponse.model_validate(
        {
            "taken_at": row.taken_at,
            "register": Energy.of(row.register_wh),
            "raw": Energy.of(raw_wh),
            "how": row.how or "read",
            "held_id": row.held_id,
            "since_s": row.since_s,
            "is_gap": row.since_s >= 2 * interval_s,
        }
    )
