"""Protected customers who would be cut: work for people."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.api.paging import page_of
from npms_ledger.domain.account import Account
from npms_ledger.handlers import audit_facts, reviews
from npms_ledger.handlers.context import Context
from npms_shared.db import audit_trail
from npms_shared.web.pages import Cursor, Limit, Page, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Line, Money, Schema


class FinishTaskRequest(Schema):
    note: Line = Field(examples=["Visited; agreed on instalments"])


class ReviewTaskResponse(BaseModel):
    """A protected customer who would be cut; `owed` is what would clear it."""

    review_task_id: UUID
    account_id: int
    what: str = Field(examples=["would_be_cut_but_is_protected"])
    since: datetime
    owed_then: Money
    owed_now: Money
    balance_now: Money
    protected_until: datetime | None
    done_at: datetime | None
    done_by: str | None
    note: str | None

    @classmethod
    def of(cls, row: Row[Any], account: Account, now: datetime) -> Self:
        position, currency = account.position, account.currency
        return cls(
            review_task_id=row.review_task_id,
            account_id=row.account_id,
            what=row.what,
            since=row.since,
            owed_then=Money.of(row.amount_to_clear_micro, currency),
            owed_now=Money.of(account.amount_to_clear(now), currency),
            balance_now=Money.of(position.balance_micro, currency),
            protected_until=position.protected_until,
            done_at=row.done_at,
            done_by=row.done_by,
            note=row.note,
        )


Done = Annotated[bool | None, Query(description="only done, or only open, tasks")]


def review_tasks_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/review-tasks", tags=["review tasks"])

    @router.get("", operation_id="list_review_tasks", responses=problem_responses())
    async def list_review_tasks(
        _caller: Operator, done: Done = None, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[ReviewTaskResponse]:
        """Protected customers who would be cut, the oldest first."""
        async with context.database.connect() as conn:
            tasks = await reviews.list_tasks(conn, after=id_in(cursor), limit=limit + 1, done=done)
        return page_of(
            tasks,
            limit,
            lambda task: ReviewTaskResponse.of(*task, context.clock.now()),
            key=lambda task: task[0].review_task_id,
        )

    @router.post(
        "/{review_task_id}/finish",
        operation_id="finish_review_task",
        responses=problem_responses(404, 409),
    )
    async def finish_review_task(
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
