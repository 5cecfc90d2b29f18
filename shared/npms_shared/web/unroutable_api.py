"""Messages that the broker had no queue for, over REST: list, get, retry, drop."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from npms_shared.db.engine import Database
from npms_shared.messaging import unroutable
from npms_shared.messaging.unroutable import NotSetAside, UnroutableSummary
from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.parked_api import DroppedResponse, MessageBody
from npms_shared.web.principals import Operator
from npms_shared.web.problems import Problem, not_found, problem_responses
from npms_shared.web.schemas import ReasonRequest


class UnroutableSummaryResponse(BaseModel):
    """A message that was set aside, so that those after it go on."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    message_id: UUID
    exchange: str
    routing_key: str
    type: str
    subject: str
    reason: str
    set_aside_at: datetime
    state: str = Field(examples=["set_aside"])

    @classmethod
    def of(cls, summary: UnroutableSummary) -> "UnroutableSummaryResponse":
        return cls.model_validate(summary)


class UnroutableMessageResponse(UnroutableSummaryResponse):
    headers: dict[str, Any] | None
    body: MessageBody

    @classmethod
    def of(cls, message: UnroutableSummary) -> "UnroutableMessageResponse":
        return cls.model_validate(message)


class RetriedResponse(BaseModel):
    state: Literal["retried"] = "retried"


def unroutable_router(database: Database) -> APIRouter:
    router = APIRouter(prefix="/v1/unroutable-messages", tags=["unroutable messages"])
    _add_reading(router, database)
    _add_settling(router, database)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("", operation_id="list_unroutable_messages", responses=problem_responses())
    async def list_unroutable_messages(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[UnroutableSummaryResponse]:
        """In the order in which they were said."""
        after = number_in(cursor) or 0
        async with database.connect() as conn:
            found = await unroutable.list_set_aside(conn, limit=limit + 1, after=after)
        page, following = cut(found, limit, lambda summary: summary.outbox_id)
        items = [UnroutableSummaryResponse.of(summary) for summary in page]
        return Page(items=items, next_cursor=following)

    @router.get(
        "/{unroutable_id}", operation_id="get_unroutable_message", responses=problem_responses(404)
    )
    async def get_unroutable_message(
        _caller: Operator, unroutable_id: UUID
    ) -> UnroutableMessageResponse:
        """Headers and body too."""
        async with database.connect() as conn:
            try:
                found = await unroutable.get_unroutable(conn, unroutable_id)
            except NotSetAside:
                raise not_found("unroutable message") from None
        return UnroutableMessageResponse.of(found)


def _add_settling(router: APIRouter, database: Database) -> None:
    @router.post(
        "/{unroutable_id}/retry",
        operation_id="retry_unroutable_message",
        status_code=202,
        responses=problem_responses(409),
    )
    async def retry_unroutable_message(
        caller: Operator, unroutable_id: UUID, request: ReasonRequest
    ) -> RetriedResponse:
        """Say it again, after what waits in the outbox."""
        async with database.transaction() as conn:
            try:
                await unroutable.retry(
                    conn, unroutable_id, by=caller.actor(), reason=request.reason
                )
            except NotSetAside:
                raise _settled() from None
        return RetriedResponse()

    @router.post(
        "/{unroutable_id}/drop",
        operation_id="drop_unroutable_message",
        responses=problem_responses(409),
    )
    async def drop_unroutable_message(
        caller: Operator, unroutable_id: UUID, request: ReasonRequest
    ) -> DroppedResponse:
        """Give it up."""
        async with database.transaction() as conn:
            try:
                await unroutable.drop(conn, unroutable_id, by=caller.actor(), reason=request.reason)
            except NotSetAside:
                raise _settled() from None
        return DroppedResponse()


def _settled() -> Problem:
    return Problem(409, "not_set_aside", "It is not set aside, or was settled before.")
