"""Readings as a file."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request

from npms_meter_gateway.api.schemas import ReadingImportResponse
from npms_meter_gateway.handlers import import_readings as imports
from npms_meter_gateway.handlers.import_readings import ImportReport
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_shared.auth.tokens import Principal
from npms_shared.web.principals import require
from npms_shared.web.problems import FieldError, Problem, problem_responses
from npms_shared.web.rates import COSTLY

Sender = Annotated[Principal, Depends(require("service", "operator", "admin"))]
CSV = "text/csv"
MOST_FAULTS = 100
EXAMPLE = "serial,taken_at,register_kwh\nM1,2026-11-23T18:15:00+03:00,1250.000\n"
BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {CSV: {"schema": {"type": "string"}, "example": EXAMPLE}},
    }
}


def reading_imports_router(recorder: ReadingRecorder) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["readings"])

    @router.post(
        "/reading-imports",
        operation_id="import_readings",
        dependencies=[COSTLY],
        responses=problem_responses(413, 415),
        openapi_extra=BODY,
    )
    async def import_readings(
        caller: Sender,
        request: Request,
        dry_run: Annotated[bool, Query(description="only say what would become of it")] = False,  # noqa: FBT002
    ) -> ReadingImportResponse:
        """A CSV of up to 10,000 readings, judged in the order of their moments and stored in one
        transaction. Columns: serial or installation_id, taken_at with its offset, register_kwh or
        register_wh. A line that cannot be read stops all of it; the same file again changes
        nothing.
        """
        text = _text(await request.body(), request.headers.get("content-type", ""))
        report = await imports.import_readings(recorder, text, by=caller.actor(), dry_run=dry_run)
        if report.faults:
            raise _unreadable(report)
        return ReadingImportResponse.of(report, dry_run=dry_run)

    return router


def _text(body: bytes, kind: str) -> str:
    if kind.partition(";")[0].strip().lower() != CSV:
        words = f"Send the file as {CSV}, not as {kind or 'nothing named'}."
        raise Problem(415, "unsupported_media_type", words)
    try:
        return body.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        raise Problem(422, "not_utf8", f"The file is not UTF-8 at byte {fault.start}.") from None


def _unreadable(report: ImportReport) -> Problem:
    errors = [
        FieldError(
            pointer=f"/lines/{fault.line}" + (f"/{fault.column}" if fault.column else ""),
            code="unreadable_line",
            message=fault.says,
        )
        for fault in report.faults[:MOST_FAULTS]
    ]
    words = f"{len(report.faults)} faults; nothing was taken from the file."
    return Problem(422, "unreadable_file", words, errors=errors)
