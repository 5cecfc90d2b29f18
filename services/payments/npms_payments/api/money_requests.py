"""Money that staff typed in or wants to allocate: asked by one person, agreed to by another."""

from dataclasses import asdict
from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response

from npms_payments.api.money_request_schemas import (
    MoneyRequestResponse,
)
from npms_payments.handlers import money_requests
from npms_payments.handlers.context import Context
from npms_shared.approval import Approval
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import ReasonRequest

State = Annotated[Literal["requested", "posted", "rejected"] | None, Query()]


def money_requests_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/money-requests", tags=["money requests"])
    _add_looking(router, context)
    _add_deciding(router, context)
    return router


def _add_looking(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_money_requests", responses=problem_responses())
    async def list_(
        _caller: Operator, state: State = None, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[MoneyRequestResponse]:
        """Newest first; `state=requested` are those that wait for a second person."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            found = await money_requests.list_requests(
                conn, before=before, limit=limit + 1, state=state
            )
        page, following = cut(found, limit, lambda one: one.request_id)
        return Page(items=[MoneyRequestResponse.of(one) for one in page], next_cursor=following)

    @router.get("/{request_id}", operation_id="get_money_request", responses=problem_responses(404))
    async def show(request_id: UUID, _caller: Operator, response: Response) -> MoneyRequestResponse:
        """With the ETag that approving asks for."""
        async with context.database.connect() as conn:
            found = await money_requests.show_request(conn, request_id)
        show_etag(response, asdict(found))
        return MoneyRequestResponse.of(found)


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{request_id}/approve",
        operation_id="approve_money_request",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        request_id: UUID, request: ReasonRequest, caller: Operator, seen: Seen
    ) -> MoneyRequestResponse:
        """Do what somebody else asked for."""
        approval = Approval(caller.subject, seen)
        async with context.database.transaction() as conn:
            decided = await money_requests.approve(
                conn, context, request_id, approval=approval, reason=request.reason
            )
        return MoneyRequestResponse.of(decided)

    @router.post(
        "/{request_id}/reject",
        operation_id="reject_money_request",
        responses=problem_responses(404, 409),
    )
    async def reject(
        request_id: UUID, request: ReasonRequest, caller: Operator
    ) -> MoneyRequestResponse:
        """Nothing moves; who asked for it takes it back so."""
        async with context.database.transaction() as conn:
            decided = await money_requests.reject(
                conn, context, request_id, by=caller.subject, reason=request.reason
            )
        return MoneyRequestResponse.of(decided)
