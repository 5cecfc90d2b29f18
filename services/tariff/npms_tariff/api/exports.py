"""An account's usage as files: CSV, and Green Button (ESPI) XML."""

import csv
import io
from collections.abc import Iterable, Iterator
from datetime import timedelta
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from npms_shared.money import format_amount
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import Energy, PathId
from npms_tariff.api.green_button import Feed
from npms_tariff.api.usage import From, To
from npms_tariff.domain.records import Resolution
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.report_usage import UsageItem, UsageQuery, report_usage

LONGEST = {
    "hour": timedelta(days=800),
    "day": timedelta(days=20 * 366),
    "month": timedelta(days=50 * 366),
}
"""A file may be longer than an answer."""
HEADER = ("from", "to", "commodity", "energy_kwh", "cost", "currency", "open")
ROWS_A_CHUNK = 500


Files = Annotated[Resolution, Query(description="what one line is about")]


def exports_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["usage"])
    _add_csv(router, context)
    _add_green_button(router, context)
    return router


def _responses(example: str, media_type: str) -> dict[int | str, dict[str, Any]]:
    content = {media_type: {"schema": {"type": "string"}, "example": example}}
    return {**problem_responses(404), 200: {"description": "The file", "content": content}}


def _add_csv(router: APIRouter, context: Context) -> None:
    example = f"{','.join(HEADER)}\r\n"

    @router.get(
        "/accounts/{account_id}/usage.csv",
        operation_id="export_usage_csv",
        dependencies=[COSTLY],
        response_class=Response,
        responses=_responses(example, "text/csv"),
    )
    async def export_usage_csv(
        account_id: PathId, caller: Caller, begin: From, end: To, resolution: Files = "hour"
    ) -> StreamingResponse:
        """Energy and cost as comma-separated values, a line for each hour, day or month."""
        query = UsageQuery(account_id, resolution, begin, end, LONGEST)
        async with context.database.connect() as conn:
            report = await report_usage(conn, query, principal=caller)
        return StreamingResponse(
            _lines(report.items),
            media_type="text/csv; charset=utf-8",
            headers=_as_file(f"usage-{account_id}.csv"),
        )


def _add_green_button(router: APIRouter, context: Context) -> None:
    example = '<feed xmlns="http://www.w3.org/2005/Atom" xmlns:espi="http://naesb.org/espi"/>'

    @router.get(
        "/accounts/{account_id}/usage.xml",
        operation_id="export_usage_green_button",
        dependencies=[COSTLY],
        response_class=Response,
        responses=_responses(example, "application/atom+xml"),
    )
    async def export_usage_green_button(
        account_id: PathId, caller: Caller, begin: From, end: To, request: Request
    ) -> Response:
        """Hours as Green Button data: an ESPI feed with value, cost and quality of each."""
        query = UsageQuery(account_id, "hour", begin, end, LONGEST)
        async with context.database.connect() as conn:
            report = await report_usage(conn, query, principal=caller)
        feed = Feed(report, href=request.url.path, written_at=context.clock.now())
        return Response(
            feed.as_bytes(),
            media_type="application/atom+xml",
            headers=_as_file(f"usage-{account_id}.xml"),
        )


def _as_file(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"'}


def _lines(items: Iterable[UsageItem]) -> Iterator[str]:
    """What was read before: whoever reads slowly holds no connection of the database."""
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(HEADER)
    for count, item in enumerate(items, 1):
        writer.writerow(_row(item))
        if count % ROWS_A_CHUNK == 0:
            yield _taken(buffer)
    yield _taken(buffer)


def _row(item: UsageItem) -> tuple[str, ...]:
    return (
        item.begins.isoformat(),
        item.ends.isoformat(),
        item.commodity,
        Energy.of(item.energy_wh).value,
        format_amount(item.amount_micro),
        item.currency,
        "yes" if item.open else "no",
    )


def _taken(buffer: io.StringIO) -> str:
    written = buffer.getvalue()
    buffer.seek(0)
    buffer.truncate()
    return written
