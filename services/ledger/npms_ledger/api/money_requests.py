"""Money fixes, transfers, reallocations: asked by one person, agreed to by another."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.access import may_see
from npms_ledger.api.money_schemas import (
    MoneyFixRequest,
    MoneyRequestResponse,
    ReallocationRequest,
    TransferRequest,
)
from npms_ledger.handlers import money_decisions, money_requests
from npms_ledger.handlers.context import Context
from npms_shared.auth.tokens import Principal
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller, Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import FilterId, PathId, ReasonRequest

RequestId = Annotated[UUID, Path(examples=["018f0000-0000-7000-8000-000000000001"])]
State = Annotated[Literal["requested", "posted", "rejected"] | None, Query()]
Act = Callable[[AsyncConnection], Awaitable[Row[Any]]]
ASKED: dict[int | str, dict[str, Any]] = {
    **problem_responses(400, 404, 409),
    202: {"model": MoneyRequestResponse, "description": "asked for: a second person must agree"},
}


def money_requests_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["money moved by people"])
    _add_fixes(router, context)
    _add_transfers(router, context)
    _add_reallocations(router, context)
    _add_decisions(router, context)
    _add_looking(router, context)
    return router


async def _ask(
    context: Context, *, key: str, caller: Principal, path: str, body: BaseModel, act: Act
) -> JSONResponse:
    """Once by the key; 201 if it was posted, 202 if it waits for a second person."""

    async def action(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
        asked = MoneyRequestResponse.of(await act(conn))
        return 201 if asked.state == "posted" else 202, asked.model_dump(mode="json")

    return await answer_once(
        context.database, key=key, caller=caller, path=path, body=body, act=action
    )


def _add_fixes(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/money-fixes",
        operation_id="fix_money",
        status_code=201,
        response_model=MoneyRequestResponse,
        responses=ASKED,
    )
    async def fix(
        caller: Operator, key: IdempotencyKey, account_id: PathId, body: MoneyFixRequest
    ) -> JSONResponse:
        """Put a balance right; above what one person may move in a day a second must agree."""

        async def act(conn: AsyncConnection) -> Row[Any]:
            asked = body.to_command(account_id)
            return await money_requests.request_fix(
                conn, asked, by=caller.actor(), limits=context.alone_limits, now=context.clock.now()
            )

        path = f"/accounts/{account_id}/money-fixes"
        return await _ask(context, key=key, caller=caller, path=path, body=body, act=act)


def _add_transfers(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/transfers",
        operation_id="transfer_credit",
        status_code=201,
        response_model=MoneyRequestResponse,
        responses=ASKED,
    )
    async def transfer(
        caller: Caller, key: IdempotencyKey, account_id: PathId, body: TransferRequest
    ) -> JSONResponse:
        """Move credit to another account in the same currency; a customer between their own."""

        async def act(conn: AsyncConnection) -> Row[Any]:
            await may_see(conn, caller, account_id, body.to_account_id)
            asked = body.to_command(account_id)
            return await money_requests.request_transfer(
                conn, asked, by=caller.actor(), limits=context.alone_limits, now=context.clock.now()
            )

        path = f"/accounts/{account_id}/transfers"
        return await _ask(context, key=key, caller=caller, path=path, body=body, act=act)


def _add_reallocations(router: APIRouter, context: Context) -> None:
    @router.post(
        "/payments/{payment_id}/reallocate",
        operation_id="reallocate_payment",
        status_code=202,
        response_model=MoneyRequestResponse,
        responses=problem_responses(400, 404, 409),
    )
    async def reallocate(
        caller: Operator, key: IdempotencyKey, payment_id: RequestId, body: ReallocationRequest
    ) -> JSONResponse:
        """Ask to move what is left of a payment to the account it was meant for."""

        async def act(conn: AsyncConnection) -> Row[Any]:
            return await money_requests.request_reallocation(
                conn,
                payment_id,
                to_account_id=body.to_account_id,
                reason=body.reason,
                by=caller.actor(),
                now=context.clock.now(),
            )

        path = f"/payments/{payment_id}/reallocate"
        return await _ask(context, key=key, caller=caller, path=path, body=body, act=act)


def _add_decisions(router: APIRouter, context: Context) -> None:
    @router.post(
        "/money-requests/{request_id}/approve",
        operation_id="approve_money_request",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        caller: Operator, seen: Seen, request_id: RequestId, body: ReasonRequest
    ) -> MoneyRequestResponse:
        """Post what somebody else asked for."""
        async with context.database.transaction() as conn:
            row = await money_decisions.approve(
                conn,
                request_id,
                by=caller.actor(),
                seen=seen,
                reason=body.reason,
                now=context.clock.now(),
            )
        return MoneyRequestResponse.of(row)

    @router.post(
        "/money-requests/{request_id}/reject",
        operation_id="reject_money_request",
        responses=problem_responses(404, 409),
    )
    async def reject(
        caller: Operator, request_id: RequestId, body: ReasonRequest
    ) -> MoneyRequestResponse:
        """Move nothing; who asked for it takes it back so."""
        async with context.database.transaction() as conn:
            row = await money_decisions.reject(
                conn, request_id, by=caller.actor(), reason=body.reason, now=context.clock.now()
            )
        return MoneyRequestResponse.of(row)


def _add_looking(router: APIRouter, context: Context) -> None:
    @router.get(
        "/money-requests", operation_id="list_money_requests", responses=problem_responses()
    )
    async def list_(
        _caller: Operator,
        cursor: Cursor = None,
        limit: Limit = 50,
        state: State = None,
        account_id: FilterId = None,
    ) -> Page[MoneyRequestResponse]:
        """The newest first; `state=requested` are those that wait for a second person."""
        after = id_in(cursor)
        async with context.database.connect() as conn:
            rows = await money_requests.list_requests(
                conn, after=after, limit=limit + 1, state=state, account_id=account_id
            )
        page, following = cut(rows, limit, lambda row: row.request_id)
        return Page(items=[MoneyRequestResponse.of(row) for row in page], next_cursor=following)

    @router.get(
        "/money-requests/{request_id}",
        operation_id="get_money_request",
        responses=problem_responses(404),
    )
    async def show(
        _caller: Operator, response: Response, request_id: RequestId
    ) -> MoneyRequestResponse:
        """With the ETag that approving asks for."""
        async with context.database.connect() as conn:
            row = await money_requests.show_request(conn, request_id)
        show_etag(response, row._mapping)
        return MoneyRequestResponse.of(row)
