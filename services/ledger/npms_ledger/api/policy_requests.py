"""Credit policies that somebody asked for, and another puts in force."""

from typing import Annotated, Literal
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response

from npms_ledger.api.policy_schemas import PolicyRequestResponse
from npms_ledger.handlers import policy_requests
from npms_ledger.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import ReasonRequest

RequestId = Annotated[UUID, Path(examples=["018f0000-0000-7000-8000-000000000001"])]
State = Annotated[Literal["requested", "approved", "rejected"] | None, Query()]


def policy_requests_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/credit-policy-requests", tags=["credit policies"])
    _add_looking(router, context)
    _add_deciding(router, context)
    return router


def _add_looking(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_credit_policy_requests", responses=problem_responses())
    async def list_(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50, state: State = None
    ) -> Page[PolicyRequestResponse]:
        """The newest first; `state=requested` are those that wait for a second person."""
        async with context.database.connect() as conn:
            found = await policy_requests.list_requests(
                conn, before=id_in(cursor), limit=limit + 1, state=state
            )
        page, following = cut(found, limit, lambda one: one.row.request_id)
        return Page(items=[PolicyRequestResponse.of(one) for one in page], next_cursor=following)

    @router.get(
        "/{request_id}",
        operation_id="get_credit_policy_request",
        responses=problem_responses(404),
    )
    async def show(
        _caller: Operator, response: Response, request_id: RequestId
    ) -> PolicyRequestResponse:
        """With the ETag that approving asks for."""
        async with context.database.connect() as conn:
            found = await policy_requests.show_request(conn, request_id)
        show_etag(response, found.reviewed)
        return PolicyRequestResponse.of(found)


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{request_id}/approve",
        operation_id="approve_credit_policy_request",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        caller: Operator, seen: Seen, request_id: RequestId, body: ReasonRequest
    ) -> PolicyRequestResponse:
        """Put it in force for every account on the policy; 412 where another version has been put
        in force since it was looked at."""
        async with context.database.transaction() as conn:
            decided = await policy_requests.approve(
                conn,
                request_id,
                by=caller.actor(),
                seen=seen,
                reason=body.reason,
                now=context.clock.now(),
            )
        return PolicyRequestResponse.of(decided)

    @router.post(
        "/{request_id}/reject",
        operation_id="reject_credit_policy_request",
        responses=problem_responses(404, 409),
    )
    async def reject(
        caller: Operator, request_id: RequestId, body: ReasonRequest
    ) -> PolicyRequestResponse:
        """What is in force stays; who asked for it takes it back so."""
        async with context.database.transaction() as conn:
            decided = await policy_requests.reject(
                conn, request_id, by=caller.actor(), reason=body.reason, now=context.clock.now()
            )
        return PolicyRequestResponse.of(decided)
