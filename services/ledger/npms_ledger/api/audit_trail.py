"""Who did what, when and why."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from npms_ledger.handlers import look, trail
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses

Filter = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


class TrailEntry(BaseModel):
    """One thing that somebody did; `before` and `after` are the facts that it changed."""

    audit_id: int
    at: datetime
    by_subject: str
    by_roles: list[str]
    action: str = Field(examples=["money_fix_posted"])
    subject: str = Field(examples=["account:17"])
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None


def audit_trail_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/v1/audit-trail", tags=["audit trail"])

    @router.get("", operation_id="list_audit_trail", responses=problem_responses())
    async def list_(
        _caller: Operator,
        cursor: Cursor = None,
        limit: Limit = 50,
        subject: Filter = None,
        by: Filter = None,
        action: Filter = None,
    ) -> Page[TrailEntry]:
        """What people did, the newest first; of one thing, by one person or of one kind."""
        before = number_in(cursor) or look.NEWEST
        async with database.connect() as conn:
            rows = await trail.list_trail(
                conn,
                before=before,
                limit=limit + 1,
                subject=subject,
                by_subject=by,
                action=action,
            )
        page, following = cut(rows, limit, lambda row: row.audit_id)
        items = [TrailEntry.model_validate(row, from_attributes=True) for row in page]
        return Page(items=items, next_cursor=following)

    return router
