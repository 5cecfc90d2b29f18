"""A month's statement as JSON, CSV or PDF: by suffix, or by what the caller accepts."""

import asyncio
import re
from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Response
from fastapi.responses import JSONResponse

from npms_ledger.api.access import Reader, may_see
from npms_ledger.api.month_csv import HEADER, to_csv
from npms_ledger.api.month_schemas import PATH_EXAMPLE, MonthStatementResponse
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.monthly_statement import Month, month_of
from npms_shared.auth.tokens import Principal
from npms_shared.web.problems import Problem, problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import PathId

JSON, CSV, PDF = "application/json", "text/csv", "application/pdf"
KINDS = (JSON, CSV, PDF)
PathMonth = Annotated[
    str,
    Path(
        pattern=r"^(19[89][0-9]|20[0-9]{2}|21[0-9]{2})-(0[1-9]|1[0-2])$",
        description="year and month, in the account's local time",
        examples=[PATH_EXAMPLE],
    ),
]
Accept = Annotated[str, Header(description=f"one of {', '.join(KINDS)}", examples=[PDF])]
_WEIGHT = re.compile(r"q=([01](\.[0-9]{0,3})?)")


def month_statements_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{account_id}/statements", tags=["statements"])
    asked = _Asked(context)
    _add_files(router, asked)
    _add_negotiated(router, asked)
    return router


class _Asked:
    """What every form of the statement begins with."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def month(self, caller: Principal, account_id: int, name: str) -> Month:
        year, _, month = name.partition("-")
        now = self._context.clock.now()
        async with self._context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            return await month_of(conn, account_id, int(year), int(month), now=now)


def _add_negotiated(router: APIRouter, asked: _Asked) -> None:
    @router.get(
        "/{month}",
        operation_id="get_month_statement",
        dependencies=[COSTLY],
        response_model=MonthStatementResponse,
        responses={**problem_responses(404, 406), 200: _described(*KINDS)},
    )
    async def get_month_statement(
        caller: Reader, account_id: PathId, month: PathMonth, accept: Accept = JSON
    ) -> Response:
        """Opening and closing, and day by day energy, charges, top-ups and all else, adding up."""
        kind = _chosen(accept)
        return await _answer(await asked.month(caller, account_id, month), kind)


def _add_files(router: APIRouter, asked: _Asked) -> None:
    @router.get(
        "/{month}.json",
        operation_id="get_month_statement_json",
        responses=problem_responses(404),
    )
    async def get_month_statement_json(
        caller: Reader, account_id: PathId, month: PathMonth
    ) -> MonthStatementResponse:
        """The statement, exact and as people read it."""
        return MonthStatementResponse.of(await asked.month(caller, account_id, month))

    @router.get(
        "/{month}.csv",
        operation_id="export_month_statement_csv",
        dependencies=[COSTLY],
        response_class=Response,
        responses={**problem_responses(404), 200: _described(CSV)},
    )
    async def export_month_statement_csv(
        caller: Reader, account_id: PathId, month: PathMonth
    ) -> Response:
        """The statement as a table: of each bucket, opening + all amounts = closing."""
        return await _answer(await asked.month(caller, account_id, month), CSV)

    @router.get(
        "/{month}.pdf",
        operation_id="export_month_statement_pdf",
        dependencies=[COSTLY],
        response_class=Response,
        responses={**problem_responses(404), 200: _described(PDF)},
    )
    async def export_month_statement_pdf(
        caller: Reader, account_id: PathId, month: PathMonth
    ) -> Response:
        """The statement on paper."""
        return await _answer(await asked.month(caller, account_id, month), PDF)


def _described(*kinds: str) -> dict[str, Any]:
    forms: dict[str, Any] = {
        JSON: {},
        CSV: {"schema": {"type": "string"}, "example": ",".join(HEADER) + "\r\n"},
        PDF: {"schema": {"type": "string", "format": "binary"}, "example": "%PDF-1.4"},
    }
    return {"description": "The statement", "content": {kind: forms[kind] for kind in kinds}}


async def _answer(month: Month, kind: str) -> Response:
    if kind == JSON:
        return JSONResponse(MonthStatementResponse.of(month).model_dump(mode="json"))
    name = f"statement-{month.account.account_id}-{month.name}"
    if kind == CSV:
        content: str | bytes = to_csv(month)
        media_type = f"{CSV}; charset=utf-8"
    else:
        from npms_ledger.api.month_pdf import to_pdf

        content, media_type = await asyncio.to_thread(to_pdf, month), PDF
    suffix = "csv" if kind == CSV else "pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}.{suffix}"'}
    return Response(content, media_type=media_type, headers=headers)


def _chosen(accept: str) -> str:
    """The form that the caller prefers; a Problem 406 where it takes none of them."""
    wishes = [_wish(part) for part in accept.split(",")]
    for _, media in sorted((wish for wish in wishes if wish[0] > 0), key=lambda wish: -wish[0]):
        for kind in KINDS:
            if media in {kind, "*/*", f"{kind.partition('/')[0]}/*"}:
                return kind
    raise Problem(406, "not_acceptable", f"A statement is one of {', '.join(KINDS)}.")


def _wish(part: str) -> tuple[float, str]:
    """Weight and media type of one part of an Accept header."""
    media, _, rest = part.partition(";")
    weight = _WEIGHT.search(rest)
    return (float(weight[1]) if weight else 1.0), media.strip().lower()
