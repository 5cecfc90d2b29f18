"""Money that fits nowhere, and what providers said that somebody should look at."""

from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.api.money_request_schemas import MoneyRequestResponse
from npms_payments.api.schemas import (
    AllocationRequest,
    PaymentResponse,
    PaymentReviewResponse,
    ReturnRequest,
    SuspenseResponse,
)
from npms_payments.domain.records import MoneyRequest
from npms_payments.handlers.allocate_suspense import Allocate
from npms_payments.handlers.context import Context
from npms_payments.handlers.money_requests import allocate_by_hand, return_by_hand
from npms_payments.handlers.read import list_reviews, list_suspense
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses


def suspense_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["suspense"])
    _add_suspense(router, context)
    _add_allocation(router, context)
    _add_return(router, context)
    _add_reviews(router, context)
    return router


def _add_suspense(router: APIRouter, context: Context) -> None:
    @router.get("/suspense", operation_id="list_suspense", responses=problem_responses())
    async def list_items(
        _caller: Operator,
        state: Literal["open", "allocated", "returned"] | None = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[SuspenseResponse]:
        """Newest first."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            found = await list_suspense(conn, state=state, before=before, limit=limit + 1)
        page, following = cut(found, limit, lambda item: item.suspense_id)
        return Page(items=[SuspenseResponse.of(item) for item in page], next_cursor=following)


def _add_allocation(router: APIRouter, context: Context) -> None:
    @router.post(
        "/suspense/{suspense_id}/allocate",
        operation_id="allocate_suspense",
        status_code=201,
        response_model=PaymentResponse,
        responses={
            202: {"model": MoneyRequestResponse, "description": "a second person must agree"},
            **problem_responses(400, 404, 409),
        },
    )
    async def allocate_item(
        suspense_id: UUID, request: AllocationRequest, caller: Operator, key: IdempotencyKey
    ) -> JSONResponse:
        """Give the money to an account: it settles there as the payment it was; above what one
        person may move in a day once another agrees."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            command = Allocate(suspense_id, request.account_id, request.reason, caller.subject)
            made = await allocate_by_hand(conn, context, command)
            if isinstance(made, MoneyRequest):
                return 202, MoneyRequestResponse.of(made).model_dump(mode="json")
            return 201, PaymentResponse.of(made).model_dump(mode="json")

        return await answer_once(
            context.database,
            key=key,
            caller=caller,
            path=f"suspense/{suspense_id}",
            body=request,
            act=act,
        )


def _add_return(router: APIRouter, context: Context) -> None:
    @router.post(
        "/suspense/{suspense_id}/return",
        operation_id="return_suspense",
        status_code=202,
        response_model=MoneyRequestResponse,
        responses=problem_responses(400, 404, 409),
    )
    async def return_item(
        suspense_id: UUID, request: ReturnRequest, caller: Operator, key: IdempotencyKey
    ) -> JSONResponse:
        """The money goes back to its payer; closed once another person agrees."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            asked = await return_by_hand(
                conn,
                context,
                suspense_id,
                reference=request.reference,
                reason=request.reason,
                by=caller.subject,
            )
            return 202, MoneyRequestResponse.of(asked).model_dump(mode="json")

        return await answer_once(
            context.database,
            key=key,
            caller=caller,
            path=f"suspense/{suspense_id}/return",
            body=request,
            act=act,
        )


def _add_reviews(router: APIRouter, context: Context) -> None:
    @router.get("/payment-reviews", operation_id="list_reviews", responses=problem_responses())
    async def list_all_reviews(
        _caller: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[PaymentReviewResponse]:
        """What providers said that contradicts what is known; newest first."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            found = await list_reviews(conn, before=before, limit=limit + 1)
        page, following = cut(found, limit, lambda one: one.review_id)
        return Page(items=[PaymentReviewResponse.of(one) for one in page], next_cursor=following)
