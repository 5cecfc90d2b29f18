"""Corrections: previewed, asked for, decided by a second person, followed."""

import json
from collections.abc import AsyncIterator
from dataclasses import asdict
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Path, Response
from fastapi.responses import StreamingResponse

from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import ReasonRequest
from npms_tariff.api.correction_schemas import (
    CorrectionItemResponse,
    CorrectionRequest,
    CorrectionResponse,
)
from npms_tariff.handlers import correct
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.correct import CorrectionScope

CorrectionId = Annotated[UUID, Path(description="of a correction")]
NDJSON = "application/x-ndjson"
EXAMPLE = (
    '{"installation_id": 7, "account_id": 3, "currency": "KES", "amount": "-12.500000", '
    '"months": [{"month": "2026-11", "amount": "-12.500000", "energy_wh": 0}]}\n'
    '{"total": {"corrected": 1, "refused": 0, "amounts": {"KES": "-12.500000"}}}\n'
)


def corrections_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["corrections"])
    _add_preview(router, context)
    _add_requesting(router, context)
    _add_deciding(router, context)
    _add_reading(router, context)
    return router


def _add_preview(router: APIRouter, context: Context) -> None:
    content = {NDJSON: {"schema": {"type": "string"}, "example": EXAMPLE}}

    @router.post(
        "/correction-previews",
        operation_id="preview_correction",
        dependencies=[COSTLY],
        response_class=Response,
        responses={**problem_responses(404), 200: {"description": "Lines", "content": content}},
    )
    async def preview_correction(body: CorrectionRequest, _: Operator) -> StreamingResponse:
        """What a correction would post, a line for each installation, and the total; nothing is
        written."""
        async with context.database.connect() as conn:
            scope = await correct.find_scope(conn, body.to_command())
        return StreamingResponse(_lines(context, scope), media_type=NDJSON)


async def _lines(context: Context, scope: CorrectionScope) -> AsyncIterator[str]:
    async for line in correct.preview_correction(context, scope):
        yield json.dumps(line) + "\n"


def _add_requesting(router: APIRouter, context: Context) -> None:
    @router.post(
        "/corrections",
        operation_id="request_correction",
        status_code=201,
        responses=problem_responses(404),
    )
    async def request_correction(body: CorrectionRequest, caller: Operator) -> CorrectionResponse:
        """Put a correction before a second person."""
        async with context.database.transaction() as conn:
            made = await correct.request_correction(
                conn, context, body.to_command(), by=caller.actor()
            )
        return CorrectionResponse.of(made, {})


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.post(
        "/corrections/{correction_id}/approve",
        operation_id="approve_correction",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve_correction(
        correction_id: CorrectionId, caller: Operator, seen: Seen
    ) -> CorrectionResponse:
        """Let it be worked off: by another person than who asked."""
        async with context.database.transaction() as conn:
            correction = await correct.approve_correction(
                conn, context, correction_id, by=caller.actor(), seen=seen
            )
        return CorrectionResponse.of(correction, {})

    @router.post(
        "/corrections/{correction_id}/reject",
        operation_id="reject_correction",
        responses=problem_responses(404, 409),
    )
    async def reject_correction(
        correction_id: CorrectionId, body: ReasonRequest, caller: Operator
    ) -> CorrectionResponse:
        """It is never worked off; who asked may take it back so."""
        async with context.database.transaction() as conn:
            correction = await correct.reject_correction(
                conn, context, correction_id, by=caller.actor(), reason=body.reason
            )
        return CorrectionResponse.of(correction, {})


def _add_reading(router: APIRouter, context: Context) -> None:
    @router.get("/corrections", operation_id="list_corrections", responses=problem_responses())
    async def list_corrections(
        _: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[CorrectionResponse]:
        """The newest first."""
        async with context.database.connect() as conn:
            rows = await correct.list_corrections(conn, before=id_in(cursor), limit=limit + 1)
            amounts = await correct.amounts_of(conn, rows)
        page, following = cut(rows, limit, lambda correction: correction.correction_id)
        items = [
            CorrectionResponse.of(correction, amounts[correction.correction_id])
            for correction in page
        ]
        return Page(items=items, next_cursor=following)

    @router.get(
        "/corrections/{correction_id}",
        operation_id="get_correction",
        responses=problem_responses(404),
    )
    async def get_correction(
        correction_id: CorrectionId, _: Operator, response: Response
    ) -> CorrectionResponse:
        """With its progress, what it has posted so far, and the ETag that approving asks for."""
        async with context.database.connect() as conn:
            correction = await correct.get_correction(conn, correction_id)
            amounts = await correct.amounts_of(conn, [correction])
        show_etag(response, asdict(correction))
        return CorrectionResponse.of(correction, amounts[correction_id])

    @router.get(
        "/corrections/{correction_id}/installations",
        operation_id="list_corrected_installations",
        responses=problem_responses(404),
    )
    async def list_corrected_installations(
        correction_id: CorrectionId, _: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[CorrectionItemResponse]:
        """What it did to each, in the order of their ids."""
        after = number_in(cursor) or 0
        async with context.database.connect() as conn:
            rows = await correct.list_items(conn, correction_id, after=after, limit=limit + 1)
        page, following = cut(rows, limit, lambda item: item.installation_id)
        return Page(items=[CorrectionItemResponse.of(item) for item in page], next_cursor=following)
