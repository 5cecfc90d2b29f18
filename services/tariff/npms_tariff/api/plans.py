"""Plans: drafted by one person, put in force by another, never changed."""

from typing import Annotated

from fastapi import APIRouter, Path, Response

from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in, text_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import FilterId
from npms_tariff.api.schemas import (
    PLAN_CODE,
    ParkedReadingResponse,
    PlanRequest,
    PlanResponse,
    VersionRequest,
    VersionResponse,
)
from npms_tariff.handlers import read_plans
from npms_tariff.handlers.activate_plan import activate_version
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.draft_plan import (
    NewPlan,
    add_draft,
    create_plan,
    replace_draft,
    reviewed_of,
    withdraw_draft,
)

PlanCode = Annotated[str, Path(pattern=PLAN_CODE)]
VersionNumber = Annotated[int, Path(ge=1, le=2**31 - 1)]


def plans_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["plans"])
    _add_drafting(router, context)
    _add_deciding(router, context)
    _add_reading(router, context)
    _add_parked(router, context)
    return router


def _add_drafting(router: APIRouter, context: Context) -> None:
    @router.post(
        "/plans", operation_id="create_plan", status_code=201, responses=problem_responses(409)
    )
    async def post_plan(body: PlanRequest, caller: Operator) -> VersionResponse:
        """A plan with a draft of version 1. 422 names every place that is wrong."""
        new = NewPlan(body.plan_code, body.name, body.commodity, body.currency)
        async with context.database.transaction() as conn:
            draft = await create_plan(conn, context, new, body.draft(), by=caller.actor())
        return VersionResponse.of(draft)

    @router.post(
        "/plans/{plan_code}/versions",
        operation_id="add_plan_version",
        status_code=201,
        responses=problem_responses(404),
    )
    async def add_plan_version(
        plan_code: PlanCode, body: VersionRequest, caller: Operator
    ) -> VersionResponse:
        """A draft of the next version; once activated in force from `valid_from`."""
        async with context.database.transaction() as conn:
            draft = await add_draft(conn, context, plan_code, body.draft(), by=caller.actor())
        return VersionResponse.of(draft)

    @router.put(
        "/plans/{plan_code}/versions/{version}",
        operation_id="replace_plan_draft",
        responses=problem_responses(404, 409),
    )
    async def replace_plan_draft(
        plan_code: PlanCode, version: VersionNumber, body: VersionRequest, caller: Operator
    ) -> VersionResponse:
        """The whole draft anew; the caller is its author from then on."""
        async with context.database.transaction() as conn:
            draft = await replace_draft(
                conn, context, plan_code, version, body.draft(), by=caller.actor()
            )
        return VersionResponse.of(draft)


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.delete(
        "/plans/{plan_code}/versions/{version}",
        operation_id="withdraw_plan_draft",
        status_code=204,
        responses=problem_responses(404, 409),
    )
    async def withdraw_plan_draft(
        plan_code: PlanCode, version: VersionNumber, caller: Operator
    ) -> None:
        """Withdraw a draft; an activated version stays. The number is not given again."""
        async with context.database.transaction() as conn:
            await withdraw_draft(conn, context, plan_code, version, by=caller.actor())

    @router.post(
        "/plans/{plan_code}/versions/{version}/activate",
        operation_id="activate_plan_version",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def activate_plan_version(
        plan_code: PlanCode, version: VersionNumber, caller: Operator, seen: Seen
    ) -> VersionResponse:
        """Put a draft in force as it was seen, by another person than wrote it; never backwards: it
        rates from `valid_from`, and no reading that was rated before."""
        async with context.database.transaction() as conn:
            activated = await activate_version(
                conn, context, plan_code, version, by=caller.actor(), seen=seen
            )
        return VersionResponse.of(activated)


def _add_reading(router: APIRouter, context: Context) -> None:
    @router.get("/plans", operation_id="list_plans", responses=problem_responses())
    async def list_plans(
        _: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[PlanResponse]:
        """All plans, by code."""
        after = text_in(cursor) or ""
        async with context.database.connect() as conn:
            rows = await read_plans.list_plans(conn, after=after, limit=limit + 1)
        page, following = cut(rows, limit, lambda plan: plan.plan_code)
        return Page(items=[PlanResponse.of(plan) for plan in page], next_cursor=following)

    @router.get("/plans/{plan_code}", operation_id="get_plan", responses=problem_responses(404))
    async def get_plan(plan_code: PlanCode, _: Operator) -> PlanResponse:
        """A plan; its prices are in its versions."""
        async with context.database.connect() as conn:
            return PlanResponse.of(await read_plans.get_plan(conn, plan_code))

    @router.get(
        "/plans/{plan_code}/versions",
        operation_id="list_plan_versions",
        responses=problem_responses(404),
    )
    async def list_plan_versions(
        plan_code: PlanCode, _: Operator, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[VersionResponse]:
        """All versions of a plan and its drafts, by number."""
        after = number_in(cursor) or 0
        async with context.database.connect() as conn:
            rows = await read_plans.list_versions(conn, plan_code, after=after, limit=limit + 1)
        page, following = cut(rows, limit, lambda version: version.version)
        return Page(items=[VersionResponse.of(version) for version in page], next_cursor=following)

    @router.get(
        "/plans/{plan_code}/versions/{version}",
        operation_id="get_plan_version",
        responses=problem_responses(404),
    )
    async def get_plan_version(
        plan_code: PlanCode, version: VersionNumber, _: Operator, response: Response
    ) -> VersionResponse:
        """A version or draft with its whole document, and the ETag that activating asks for."""
        async with context.database.connect() as conn:
            found = await read_plans.get_version(conn, plan_code, version)
        show_etag(response, reviewed_of(found))
        return VersionResponse.of(found)


def _add_parked(router: APIRouter, context: Context) -> None:
    @router.get(
        "/parked-readings",
        operation_id="list_parked_readings",
        tags=["readings"],
        responses=problem_responses(),
    )
    async def list_parked_readings(
        _: Operator,
        installation_id: FilterId = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[ParkedReadingResponse]:
        """Readings that were not rated, and why, the newest first."""
        before = number_in(cursor)
        async with context.database.connect() as conn:
            rows = await read_plans.list_parked_readings(
                conn, before=before, limit=limit + 1, installation_id=installation_id
            )
        page, following = cut(rows, limit, lambda parked: parked.parked_reading_id)
        return Page(
            items=[ParkedReadingResponse.of(parked) for parked in page], next_cursor=following
        )
