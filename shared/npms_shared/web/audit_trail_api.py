"""Who did what, when and why: the same in every service, for operators."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from npms_shared.db import audit_trail
from npms_shared.db.audit_trail import AuditEntry
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import MAX_ID

Filter = Annotated[str | None, Query(max_length=200, pattern=r"^[^\x00]*$")]


class AuditEntryResponse(BaseModel):
    """One thing that somebody did; `before` and `after` are the facts that it changed."""

    audit_id: int
    at: datetime
    by_subject: str
    by_roles: list[str]
    on_behalf_of: str = Field(examples=["customer:17"], description="empty: nobody else")
    action: str = Field(examples=["money_fix_posted"])
    subject: str = Field(examples=["account:17"])
    reason: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None

    @classmethod
    def of(cls, entry: AuditEntry) -> "AuditEntryResponse":
        return cls.model_validate(entry, from_attributes=True)


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
    ) -> Page[AuditEntryResponse]:
        """What people did, the newest first; of one thing, by one person or of one kind."""
        async with database.connect() as conn:
            entries = await audit_trail.list_entries(
                conn,
                before=number_in(cursor) or MAX_ID,
                limit=limit + 1,
                subject=subject,
                by_subject=by,
                action=action,
            )
        page, following = cut(entries, limit, lambda entry: entry.audit_id)
        return Page(items=[AuditEntryResponse.of(one) for one in page], next_cursor=following)

    return router
