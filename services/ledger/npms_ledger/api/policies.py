"""Credit policies: what is in force, and asking for another."""

from typing import Annotated

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse

from npms_ledger.api.policy_schemas import (
    PolicyDocument,
    PolicyRequestResponse,
    PolicyResponse,
)
from npms_ledger.handlers import policy_requests
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.errors import PolicyUnknown
from npms_ledger.handlers.policies import WrittenPolicy, read_policy
from npms_shared.web.principals import Operator
from npms_shared.web.problems import not_found, problem_responses

Code = Annotated[str, Path(pattern="^[a-z0-9][a-z0-9-]{0,59}$", examples=["standard"])]


def policies_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/credit-policies", tags=["credit policies"])

    @router.get("/{code}", operation_id="get_credit_policy", responses=problem_responses(404))
    async def get_credit_policy(_caller: Operator, code: Code) -> PolicyResponse:
        """The version in force."""
        async with context.database.connect() as conn:
            try:
                return PolicyResponse.of(await read_policy(conn, code))
            except PolicyUnknown:
                raise not_found("credit policy") from None

    @router.put(
        "/{code}",
        operation_id="put_credit_policy",
        response_model=PolicyResponse,
        responses={
            202: {"model": PolicyRequestResponse, "description": "a second person must agree"},
            **problem_responses(),
        },
    )
    async def put_credit_policy(
        caller: Operator, code: Code, document: PolicyDocument
    ) -> JSONResponse:
        """Ask for a new version; in force for every account on the policy once another person
        approves. 200 where it is in force already."""
        async with context.database.transaction() as conn:
            asked = await policy_requests.request_policy(
                conn,
                code,
                policy=document.to_policy(),
                currency=document.currency,
                by=caller.actor(),
                now=context.clock.now(),
            )
        if isinstance(asked, WrittenPolicy):
            return JSONResponse(PolicyResponse.of(asked).model_dump(mode="json", by_alias=True))
        return JSONResponse(
            PolicyRequestResponse.of(asked).model_dump(mode="json", by_alias=True), status_code=202
        )

    return router
