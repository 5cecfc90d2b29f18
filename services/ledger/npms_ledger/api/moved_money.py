"""Money fixes, transfers, reallocations: above what one person may move they wait for a second."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path
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
from npms_ledger.handlers import money_requests
from npms_ledger.handlers.context import Context
from npms_shared.auth.tokens import Principal
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.principals import Caller, Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId

PaymentId = Annotated[UUID, Path(examples=["018f0000-0000-7000-8000-000000000001"])]
Act = Callable[[AsyncConnection], Awaitable[Row[Any]]]
ASKED: dict[int | str, dict[str, Any]] = {
    **problem_responses(400, 404, 409),
    202: {"model": MoneyRequestResponse, "description": "asked for: a second person must agree"},
}


def moved_money_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["money moved by people"])
    _add_fixes(router, context)
    _add_transfers(router, context)
    _add_reallocations(router, context)
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
    async def fix_money(
        caller: Operator, key: IdempotencyKey, account_id: PathId, request: MoneyFixRequest
    ) -> JSONResponse:
        """Put a balance right; above what one person may move in a day a second must agree."""

        async def act(conn: AsyncConnection) -> Row[Any]:
            asked = request.to_command(account_id)
            return await money_requests.request_fix(
                conn, asked, by=caller.actor(), limits=context.alone_limits, now=context.clock.now()
            )

        path = f"/accounts/{account_id}/money-fixes"
        return await _ask(context, key=key, caller=caller, path=path, body=request, act=act)


def _add_transfers(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/transfers",
        operation_id="transfer_credit",
        status_code=201,
        response_model=MoneyRequestResponse,
        responses=ASKED,
    )
    async def transfer_credit(
        caller: Caller, key: IdempotencyKey, account_id: PathId, request: TransferRequest
    ) -> JSONResponse:
        """Move credit to another account in the same currency; a customer between their own."""

        async def act(conn: AsyncConnection) -> Row[Any]:
            await may_see(conn, caller, account_id, request.to_account_id)
            asked = request.to_command(account_id)
            return await money_requests.request_transfer(
                conn, asked, by=caller.actor(), limits=context.alone_limits, now=context.clock.now()
            )

        path = f"/accounts/{account_id}/transfers"
        return await _ask(context, key=key, caller=caller, path=path, body=request, act=act)


def _add_reallocations(router: APIRouter, context: Context) -> None:
    @router.post(
        "/payments/{payment_id}/reallocate",
        operation_id="reallocate_payment",
        status_code=202,
        response_model=MoneyRequestResponse,
        responses=problem_responses(400, 404, 409),
    )
    async def reallocate_payment(
        caller: Operator, key: IdempotencyKey, payment_id: PaymentId, request: ReallocationRequest
    ) -> JSONResponse:
        """Ask to move what is left of a payment to the account it was meant for."""

        async def act(conn: AsyncConnection) -> Row[Any]:
            return await money_requests.request_reallocation(
                conn,
                payment_id,
                to_account_id=request.to_account_id,
                reason=request.reason,
                by=caller.actor(),
                now=context.clock.now(),
            )

        path = f"/payments/{payment_id}/reallocate"
        return await _ask(context, key=key, caller=caller, path=path, body=request, act=act)
