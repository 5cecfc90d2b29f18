"""Readings that were not believed: listed with the reason, and decided of by an operator."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from npms_meter_gateway.api.held_schemas import (
    CorrectReadingRequest,
    HeldReadingDetailResponse,
    HeldReadingResponse,
    RejectReadingRequest,
)
from npms_meter_gateway.domain.held import State
from npms_meter_gateway.domain.validation import Verdict
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.decide_held import (
    Correction,
    correct_held,
    reject_held,
    release_held,
)
from npms_meter_gateway.handlers.get_held import HeldFilter, get_held, list_held
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import MAX_ID, FilterId, ReasonRequest

HeldId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
ByReason = Annotated[Verdict | None, Query(description="only those held for it")]
ByState = Annotated[State | None, Query(description="only those in it")]


def held_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/held-readings", tags=["held readings"])
    _add_reading(router, context)
    _add_deciding(router, context)
    return router


def _add_reading(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_held_readings", responses=problem_responses())
    async def list_held_readings(
        _caller: Operator,
        *,
        installation_id: FilterId = None,
        reason: ByReason = None,
        state: ByState = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[HeldReadingResponse]:
        """The newest first."""
        wanted, before = HeldFilter(installation_id, reason, state), number_in(cursor) or MAX_ID
        async with context.database.connect() as conn:
            found = await list_held(conn, wanted, before=before, limit=limit + 1)
        page, following = cut(found, limit, lambda reading: reading.held_id)
        items = [HeldReadingResponse.of(reading) for reading in page]
        return Page(items=items, next_cursor=following)

    @router.get("/{held_id}", operation_id="get_held_reading", responses=problem_responses(404))
    async def get_held_reading(held_id: HeldId, _caller: Operator) -> HeldReadingDetailResponse:
        """With what stands around it, an estimate, and what was decided of it."""
        async with context.database.connect() as conn:
            return HeldReadingDetailResponse.of(await get_held(conn, held_id))


def _add_deciding(router: APIRouter, context: Context) -> None:
    refusals = problem_responses(404, 409)

    @router.post("/{held_id}/release", operation_id="release_held_reading", responses=refusals)
    async def release_held_reading(
        held_id: HeldId, body: ReasonRequest, caller: Operator
    ) -> HeldReadingDetailResponse:
        """Believe it: it is stored and told. A register that fell goes on from the last good one,
        and what was held after it for the same reason is judged anew."""
        async with context.database.transaction() as conn:
            await release_held(conn, context, held_id, by=caller.actor(), reason=body.reason)
            return HeldReadingDetailResponse.of(await get_held(conn, held_id))

    @router.post("/{held_id}/correct", operation_id="correct_held_reading", responses=refusals)
    async def correct_held_reading(
        held_id: HeldId, body: CorrectReadingRequest, caller: Operator
    ) -> HeldReadingDetailResponse:
        """Store and tell the right register in its place."""
        correction = Correction(body.register_.wh, body.counts_on)
        async with context.database.transaction() as conn:
            await correct_held(
                conn, context, held_id, correction, by=caller.actor(), reason=body.reason
            )
            return HeldReadingDetailResponse.of(await get_held(conn, held_id))

    @router.post("/{held_id}/reject", operation_id="reject_held_reading", responses=refusals)
    async def reject_held_reading(
        held_id: HeldId, body: RejectReadingRequest, caller: Operator
    ) -> HeldReadingDetailResponse:
        """Believe nothing of it. Once no fall of a register waits, billing goes on."""
        async with context.database.transaction() as conn:
            await reject_held(
                conn,
                context,
                held_id,
                all_of_cause=body.all_of_cause,
                by=caller.actor(),
                reason=body.reason,
            )
            return HeldReadingDetailResponse.of(await get_held(conn, held_id))
