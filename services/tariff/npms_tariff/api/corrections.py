"""Corrections: previewed, asked for, decided by a second person, followed."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse

from npms_shared.approval import Approval
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.reviews import Seen, show_etag
from npms_tariff.api.correction_schemas import (
    CorrectionItemResponse,
    CorrectionRequest,
    CorrectionResponse,
)
from npms_tariff.handlers import correct
from npms_tariff.handlers.correct import Asked

CorrectionId = Annotated[UUID, Path(description="of a correction")]
NDJSON = "application/x-ndjson"
EXAMPLE = (
    '{"installation_id": 7, "account_id": 3, "currency": "KES", "amount": "-12.500000", '
    '"months": [{"month": "2026-11", "amount": "-12.500000", "energy_wh": 0}]}\n'
    '{"total": {"corrected": 1, "refused": 0, "amounts": {"KES": "-12.500000"}}}\n'
)


def corrections_router(database: Database, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["corrections"])
    _add_preview(router, database)
    _add_asking(router, database, clock)
    _add_deciding(router, database, clock)
    _add_looking(router, database)
    return router


def _add_preview(router: APIRouter, database: Database) -> None:
    content = {NDJSON: {"schema": {"type": "string"}, "example": EXAMPLE}}

    @router.post(
        "/correction-previews",
        operation_id="preview_correction",
        dependencies=[COSTLY],
        response_class=Response,
        responses={**problem_responses(404), 200: {"description": "Lines", "content": content}},
    )
    async def preview(body: CorrectionRequest, _: Operator) -> StreamingResponse:
        """What a correction would post, a line for each installation, and the total; nothing is
        written."""
        async with database.connect() as conn:
            asked = await body.asked(conn)
        return StreamingResponse(_lines(database, asked), media_type=NDJSON)


async def _lines(database: Database, asked: Asked) -> AsyncIterator[str]:
    async for line in correct.preview(database, asked):
        yield json.dumps(line) + "\n"


def _add_asking(router: APIRouter, database: Database, clock: Clock) -> None:
    @router.post(
        "/corrections",
        operation_id="request_correction",
        status_code=201,
        responses=problem_responses(404),
    )
    async def post(body: CorrectionRequest, caller: Operator) -> CorrectionResponse:
        """Put a correction before a second person."""
        async with database.transaction() as conn:
            asked = await body.asked(conn)
            made = await correct.request_correction(conn, asked, at=clock.now(), by=caller.subject)
        return CorrectionResponse.of(made, {})


def _add_deciding(router: APIRouter, database: Database, clock: Clock) -> None:
    @router.post(
        "/corrections/{correction_id}/approve",
        operation_id="approve_correction",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        correction_id: CorrectionId, caller: Operator, seen: Seen
    ) -> CorrectionResponse:
        """Let it be worked off: by another person than who asked."""
        approval = Approval(caller.subject, seen)
        async with database.transaction() as conn:
            one = await correct.approve(conn, correction_id, at=clock.now(), approval=approval)
        return CorrectionResponse.of(one, {})

    @router.post(
        "/corrections/{correction_id}/reject",
        operation_id="reject_correction",
        responses=problem_responses(404, 409),
    )
    async def reject(correction_id: CorrectionId, caller: Operator) -> CorrectionResponse:
        """It is never worked off; who asked may take it back so."""
        async with database.transaction() as conn:
            one = await correct.reject(conn, correction_id, at=clock.now(), by=caller.subject)
        return CorrectionResponse.of(one, {})


def _add_looking(router: APIRouter, database: Database) -> None:
    @router.get("/corrections", operation_id="list_corrections", responses=problem_responses())
    async def list_(
        _: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[CorrectionResponse]:
        """The newest first."""
        async with database.connect() as conn:
            rows = await correct.list_corrections(conn, before=id_in(cursor), limit=limit + 1)
            amounts = await correct.amounts_of(conn, rows)
        page, following = cut(rows, limit, lambda one: one.correction_id)
        items = [CorrectionResponse.of(one, amounts[one.correction_id]) for one in page]
        return Page(items=items, next_cursor=following)

    @router.get(
        "/corrections/{correction_id}",
        operation_id="get_correction",
        responses=problem_responses(404),
    )
    async def show(
        correction_id: CorrectionId, _: Operator, response: Response
    ) -> CorrectionResponse:
        """With its progress, what it has posted so far, and the ETag that approving asks for."""
        async with database.connect() as conn:
            one = await correct.show_correction(conn, correction_id)
            amounts: dict[Any, dict[str, int]] = await correct.amounts_of(conn, [one])
        show_etag(response, asdict(one))
        return CorrectionResponse.of(one, amounts[correction_id])

    @router.get(
        "/corrections/{correction_id}/installations",
        operation_id="list_corrected_installations",
        responses=problem_responses(404),
    )
    async def items(
        correction_id: CorrectionId, _: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[CorrectionItemResponse]:
        """What it did to each, in the order of their ids."""
        after = number_in(cursor) or 0
        async with database.connect() as conn:
            rows = await correct.list_items(conn, correction_id, after=after, limit=limit + 1)
        page, following = cut(rows, limit, lambda item: item.installation_id)
        return Page(items=[CorrectionItemResponse.of(one) for one in page], next_cursor=following)
