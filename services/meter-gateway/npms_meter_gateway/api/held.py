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
from npms_meter_gateway.handlers.decide_held import HeldDesk, Word
from npms_meter_gateway.handlers.show_held import list_held, show_held
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import not_found, problem_responses
from npms_shared.web.schemas import MAX_ID, FilterId, ReasonRequest

HeldId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
ByReason = Annotated[Verdict | None, Query(description="only those held for it")]
ByState = Annotated[State | None, Query(description="only those in it")]


def held_router(database: Database, desk: HeldDesk) -> APIRouter:
    router = APIRouter(prefix="/v1/held-readings", tags=["held readings"])
    _add_showing(router, database)
    _add_deciding(router, database, desk)
    return router


async def _shown(database: Database, held_id: int) -> HeldReadingDetailResponse:
    async with database.connect() as conn:
        held = await show_held(conn, held_id)
    if held is None:
        raise not_found("held reading")
    return HeldReadingDetailResponse.shown(held)


def _add_showing(router: APIRouter, database: Database) -> None:
    @router.get("", operation_id="list_held_readings", responses=problem_responses())
    async def list_all(
        _caller: Operator,
        *,
        installation_id: FilterId = None,
        reason: ByReason = None,
        state: ByState = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[HeldReadingResponse]:
        """The newest first."""
        async with database.connect() as conn:
            rows = await list_held(
                conn,
                installation_id=installation_id,
                reason=reason,
                state=state,
                before=number_in(cursor) or MAX_ID,
                limit=limit + 1,
            )
        page, following = cut(rows, limit, lambda row: row.held_id)
        return Page(
            items=[HeldReadingResponse.of(row._mapping) for row in page], next_cursor=following
        )

    @router.get("/{held_id}", operation_id="get_held_reading", responses=problem_responses(404))
    async def show(held_id: HeldId, _caller: Operator) -> HeldReadingDetailResponse:
        """With what stands around it, an estimate, and what was decided of it."""
        return await _shown(database, held_id)


def _add_deciding(router: APIRouter, database: Database, desk: HeldDesk) -> None:
    refusals = problem_responses(404, 409)

    @router.post("/{held_id}/release", operation_id="release_held_reading", responses=refusals)
    async def release(
        held_id: HeldId, body: ReasonRequest, caller: Operator
    ) -> HeldReadingDetailResponse:
        """Believe it: it is stored and told. A register that fell goes on from the last good one,
        and what was held after it for the same reason is judged anew."""
        await desk.release(held_id, Word(caller.subject, body.reason))
        return await _shown(database, held_id)

    @router.post("/{held_id}/correct", operation_id="correct_held_reading", responses=refusals)
    async def correct(
        held_id: HeldId, body: CorrectReadingRequest, caller: Operator
    ) -> HeldReadingDetailResponse:
        """Store and tell the right register in its place."""
        word = Word(caller.subject, body.reason)
        register_wh, counts_on = body.register_.wh, body.counts_on
        await desk.correct(held_id, word, register_wh=register_wh, counts_on=counts_on)
        return await _shown(database, held_id)

    @router.post("/{held_id}/reject", operation_id="reject_held_reading", responses=refusals)
    async def reject(
        held_id: HeldId, body: RejectReadingRequest, caller: Operator
    ) -> HeldReadingDetailResponse:
        """Believe nothing of it. Once no fall of a register waits, billing goes on."""
        word = Word(caller.subject, body.reason)
        await desk.reject(held_id, word, all_of_cause=body.all_of_cause)
        return await _shown(database, held_id)
