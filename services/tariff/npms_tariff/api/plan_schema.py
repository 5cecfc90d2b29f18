"""The plan language, for editors and programs that write plans."""

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_tariff.plan_schema import plan_schema

SCHEMA = "application/schema+json"


def plan_schema_router() -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["plans"])

    @router.get(
        "/plan-schema",
        operation_id="get_plan_schema",
        response_class=JSONResponse,
        responses={
            **problem_responses(),
            200: {
                "description": "JSON Schema 2020-12 of a version's document",
                "content": {SCHEMA: {"schema": {"type": "object"}}},
            },
        },
    )
    async def get_plan_schema(_: Operator) -> JSONResponse:
        """The form of a plan's document; the rules beyond it are checked when it is sent."""
        return JSONResponse(plan_schema(), media_type=SCHEMA)

    return router
