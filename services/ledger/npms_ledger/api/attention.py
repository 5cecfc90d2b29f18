"""Cuts that the guardrail held, for a person to approve or reject; and other work for people."""

from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Query, Response
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.supply_schemas import (
    FinishTaskRequest,
    HeldCutResponse,
    MassCutResponse,
    ReconnectionResponse,
    ReviewTaskResponse,
)
from npms_ledger.handlers import audit_facts, mass_cuts, reviews
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.reconnections import list_reconnections
from npms_shared.auth.tokens import Principal
from npms_shared.db import audit_trail
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import FilterId, ReasonRequest

State = Annotated[
    Literal["waiting", "approved", "rejected", "lapsed"] | None, Query(description="only these")
]
OnList = Annotated[bool, Query(description="false: also those that have left the list")]
Done = Annotated[bool | None, Query(description="only done, or only open, tasks")]
Breached = Annotated[bool | None, Query(description="only those beyond the limit, or within it")]


def mass_cuts_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/mass-cuts", tags=["mass cuts"])
    _add_looking(router, context)
    _add_accounts(router, context)
    _add_deciding(router, context)
    return router


def _add_looking(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_mass_cuts", responses=problem_responses())
    async def list_(
        _caller: Operator, state: State = None, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[MassCutResponse]:
        """Held lists, the newest first."""
        async with context.database.connect() as conn:
            rows = await mass_cuts.list_mass_cuts(
                conn, before=id_in(cursor), limit=limit + 1, state=state
            )
        page, following = cut(rows, limit, lambda row: row.mass_cut_id)
        return Page(items=[MassCutResponse.of(row) for row in page], next_cursor=following)

    @router.get("/{mass_cut_id}", operation_id="get_mass_cut", responses=problem_responses(404))
    async def show(_caller: Operator, response: Response, mass_cut_id: UUID) -> MassCutResponse:
        """One held list: its state and why it was held; with the ETag that approving asks for."""
        async with context.database.connect() as conn:
            row = await mass_cuts.show_mass_cut(conn, mass_cut_id)
        show_etag(response, mass_cuts.reviewed_of(row))
        return MassCutResponse.of(row)


def _add_accounts(router: APIRouter, context: Context) -> None:
    @router.get(
        "/{mass_cut_id}/accounts", operation_id="list_held_cuts", responses=problem_responses(404)
    )
    async def accounts(
        _caller: Operator,
        mass_cut_id: UUID,
        on_list: OnList = True,  # noqa: FBT002 - a filter of the list
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[HeldCutResponse]:
        """Who would be cut, why, and what amount avoids it; by account."""
        async with context.database.connect() as conn:
            await mass_cuts.show_mass_cut(conn, mass_cut_id)
            rows = await mass_cuts.list_held(
                conn, mass_cut_id, after=number_in(cursor) or 0, limit=limit + 1, on_list=on_list
            )
        page, following = cut(rows, limit, lambda row: row.account_id)
        return Page(items=[HeldCutResponse.of(row) for row in page], next_cursor=following)


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{mass_cut_id}/approve",
        operation_id="approve_mass_cut",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        caller: Operator, seen: Seen, mass_cut_id: UUID, request: ReasonRequest
    ) -> MassCutResponse:
        """Decide each account of the list again, and let the cuts pass. Whoever wrote or approved
        the policy that causes them may not approve; 412 where accounts have joined since.
        """
        async with context.database.transaction() as conn:
            now = context.clock.now()
            row = await mass_cuts.approve(
                conn,
                mass_cut_id,
                guardrail=context.guardrail,
                reason=request.reason,
                now=now,
                by=caller.subject,
                seen=seen,
            )
            await _note(conn, caller, row, now)
        return MassCutResponse.of(row)

    @router.post(
        "/{mass_cut_id}/reject",
        operation_id="reject_mass_cut",
        responses=problem_responses(404, 409),
    )
    async def reject(
        caller: Operator, mass_cut_id: UUID, request: ReasonRequest
    ) -> MassCutResponse:
        """Cut nobody of the list until `held_until`; then each is decided afresh."""
        async with context.database.transaction() as conn:
            now = context.clock.now()
            row = await mass_cuts.reject(
                conn,
                mass_cut_id,
                guardrail=context.guardrail,
                reason=request.reason,
                now=now,
                by=caller.subject,
            )
            await _note(conn, caller, row, now)
        return MassCutResponse.of(row)


async def _note(conn: AsyncConnection, caller: Principal, row: Row[Any], now: datetime) -> None:
    await audit_trail.note(
        conn,
        caller.actor(),
        f"mass_cut_{row.state}",
        subject=f"mass_cut:{row.mass_cut_id}",
        now=now,
        reason=row.reason,
        after={"accounts": row.on_list},
    )


def review_tasks_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/review-tasks", tags=["review tasks"])

    @router.get("", operation_id="list_review_tasks", responses=problem_responses())
    async def list_(
        _caller: Operator, done: Done = None, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[ReviewTaskResponse]:
        """Protected customers who would be cut, the oldest first."""
        async with context.database.connect() as conn:
            tasks = await reviews.list_tasks(conn, after=id_in(cursor), limit=limit + 1, done=done)
        page, following = cut(tasks, limit, lambda task: task[0].review_task_id)
        return Page(
            items=[ReviewTaskResponse.of(*task, context.clock.now()) for task in page],
            next_cursor=following,
        )

    @router.post(
        "/{review_task_id}/finish",
        operation_id="finish_review_task",
        responses=problem_responses(404, 409),
    )
    async def finish(
        caller: Operator, review_task_id: UUID, request: FinishTaskRequest
    ) -> ReviewTaskResponse:
        """Say what was made of it."""
        async with context.database.transaction() as conn:
            now = context.clock.now()
            task = await reviews.finish_task(
                conn, review_task_id, note=request.note, now=now, by=caller.subject
            )
            await audit_trail.note(
                conn,
                caller.actor(),
                "review_task_done",
                subject=audit_facts.of_account(task[0].account_id),
                now=now,
                reason=request.note,
            )
        return ReviewTaskResponse.of(*task, context.clock.now())

    return router


def reconnections_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/reconnections", tags=["reconnections"])

    @router.get("", operation_id="list_reconnections", responses=problem_responses())
    async def list_(
        _caller: Operator,
        breached: Breached = None,
        account_id: FilterId = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[ReconnectionResponse]:
        """From payment to closed relay, the newest first; open ones count until now."""
        async with context.database.connect() as conn:
            rows = await list_reconnections(
                conn,
                before=id_in(cursor),
                limit=limit + 1,
                limit_s=context.reconnect_limit_s,
                now=context.clock.now(),
                breached=breached,
                account_id=account_id,
            )
        page, following = cut(rows, limit, lambda row: row.reconnection_id)
        return Page(items=[ReconnectionResponse.of(row) for row in page], next_cursor=following)

    return router
