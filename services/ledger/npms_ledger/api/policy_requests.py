"""Credit policies that somebody asked for, and another puts in force."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from npms_ledger.api.deciding import Decidable, add_deciding
from npms_ledger.api.paging import page_of
from npms_ledger.api.policy_schemas import PolicyRequestResponse
from npms_ledger.handlers import policy_requests
from npms_ledger.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses

State = Annotated[Literal["requested", "approved", "rejected"] | None, Query()]
POLICY_REQUEST = Decidable(
    name="credit_policy_request",
    key="request_id",
    response=PolicyRequestResponse,
    find=policy_requests.show_request,
    reviewed=lambda asked: asked.reviewed,
    approve=policy_requests.approve,
    approving="Put it in force for every account on the policy; 412 where another version has "
    "been put in force since it was looked at.",
    reject=policy_requests.reject,
    rejecting="What is in force stays; who asked for it takes it back so.",
)


def policy_requests_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/credit-policy-requests", tags=["credit policies"])
    _add_listing(router, context)
    add_deciding(router, context, POLICY_REQUEST)
    return router


def _add_listing(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_credit_policy_requests", responses=problem_responses())
    async def list_credit_policy_requests(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50, state: State = None
    ) -> Page[PolicyRequestResponse]:
        """The newest first; `state=requested` are those that wait for a second person."""
        async with context.database.connect() as conn:
            found = await policy_requests.list_requests(
                conn, before=id_in(cursor), limit=limit + 1, state=state
            )
        return page_of(
            found, limit, PolicyRequestResponse.of, key=lambda asked: asked.row.request_id
        )
