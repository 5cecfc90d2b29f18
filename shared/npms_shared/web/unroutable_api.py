"""Messages that the broker had no queue for, over REST: list, show, retry, drop."""

from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_shared.db.engine import Database
from npms_shared.messaging import unroutable
from npms_shared.web.pages import Limit
from npms_shared.web.parked_api import readable
from npms_shared.web.principals import Operator
from npms_shared.web.problems import Problem, not_found, problem_responses
from npms_shared.web.schemas import ReasonRequest


class UnroutableSummary(BaseModel):
    """A message that was set aside, so that those after it go on."""

    id: UUID
    message_id: UUID
    exchange: str
    routing_key: str
    type: str
    subject: str
    reason: str
    set_aside_at: datetime
    state: str = Field(examples=["set_aside"])


class UnroutableDetail(UnroutableSummary):
    headers: dict[str, Any] | None
    body: str = Field(description="text, or base64 where it is no UTF-8")


def unroutable_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/v1/unroutable-messages", tags=["unroutable messages"])
    _add_looking(router, database)
    _add_settling(router, database)
    return router


def _add_looking(router: APIRouter, database: Database) -> None:
    @router.get("", operation_id="list_unroutable_messages", responses=problem_responses())
    async def list_set_aside(_caller: Operator, limit: Limit = 100) -> list[UnroutableSummary]:
        """In the order in which they were said."""
        async with database.connect() as conn:
            rows = await unroutable.list_set_aside(conn, limit=limit)
        return [UnroutableSummary.model_validate(row, from_attributes=True) for row in rows]

    @router.get(
        "/{unroutable_id}", operation_id="show_unroutable_message", responses=problem_responses(404)
    )
    async def show(_caller: Operator, unroutable_id: UUID) -> UnroutableDetail:
        """Headers and body too."""
        async with database.connect() as conn:
            try:
                row = await unroutable.show(conn, unroutable_id)
            except unroutable.NotSetAside:
                raise not_found("unroutable message") from None
        fields = {**row._mapping, "body": readable(row.body)}
        return UnroutableDetail.model_validate(fields)


def _add_settling(router: APIRouter, database: Database) -> None:
    @router.post(
        "/{unroutable_id}/retry",
        operation_id="retry_unroutable_message",
        status_code=202,
        responses=problem_responses(409),
    )
    async def retry(caller: Operator, unroutable_id: UUID, body: ReasonRequest) -> dict[str, str]:
        """Say it again, after what waits in the outbox."""
        async with database.transaction() as conn:
            try:
                await unroutable.retry(conn, unroutable_id, by=caller.subject, reason=body.reason)
            except unroutable.NotSetAside:
                raise _settled() from None
        return {"state": "retried"}

    @router.post(
        "/{unroutable_id}/drop",
        operation_id="drop_unroutable_message",
        responses=problem_responses(409),
    )
    async def drop(caller: Operator, unroutable_id: UUID, body: ReasonRequest) -> dict[str, str]:
        """Give it up."""
        async with database.transaction() as conn:
            try:
                await unroutable.drop(conn, unroutable_id, by=caller.subject, reason=body.reason)
            except unroutable.NotSetAside:
                raise _settled() from None
        return {"state": "dropped"}


def _settled() -> Problem:
    return Problem(409, "not_set_aside", "It is not set aside, or was settled before.")
