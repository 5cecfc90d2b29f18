"""Parked messages over REST, for operators: list, get, replay, drop."""

import base64
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_shared.db.engine import Database
from npms_shared.messaging import parked
from npms_shared.messaging.parked import NotParked, ParkedMessage, ParkedSummary
from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.web.pages import Cursor, Limit, Page, cut, instant_and_id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import Problem, not_found, problem_responses
from npms_shared.web.schemas import ReasonRequest


def readable(body: bytes) -> str:
    """As text, or base64 where it is no UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()


MessageBody = Annotated[
    str,
    BeforeValidator(readable),
    Field(description="text, or base64 where it is no UTF-8"),
]


class ParkedSummaryResponse(BaseModel):
    """A message that waits for a decision."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    message_id: UUID | None
    queue: str = Field(examples=["ledger.payments"])
    type: str
    code: str = Field(examples=["malformed"])
    reason: str
    attempts: int
    parked_at: datetime
    state: str = Field(
        examples=["parked"], description="parked, or replaying: sent, and not yet applied"
    )

    @classmethod
    def of(cls, summary: ParkedSummary) -> "ParkedSummaryResponse":
        return cls.model_validate(summary)


class ParkedMessageResponse(ParkedSummaryResponse):
    headers: dict[str, Any]
    body: MessageBody

    @classmethod
    def of(cls, message: ParkedSummary) -> "ParkedMessageResponse":
        return cls.model_validate(message)


class ReplayResponse(BaseModel):
    state: Literal["replaying", "replayed"]


class DroppedResponse(BaseModel):
    state: Literal["dropped"] = "dropped"


def parked_router(
    database: Database, reappliers: parked.Reappliers = parked.BROKER_ONLY
) -> APIRouter:
    router = APIRouter(prefix="/v1/parked-messages", tags=["parked messages"])
    _add_reading(router, database)
    _add_settling(router, database, reappliers)
    return router


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("", operation_id="list_parked_messages", responses=problem_responses())
    async def list_parked_messages(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[ParkedSummaryResponse]:
        """The oldest first."""
        after = instant_and_id_in(cursor)
        async with database.connect() as conn:
            found = await parked.list_parked(conn, limit=limit + 1, after=after)
        page, following = cut(found, limit, lambda summary: (summary.parked_at, summary.id))
        return Page(items=[ParkedSummaryResponse.of(one) for one in page], next_cursor=following)

    @router.get("/{parked_id}", operation_id="get_parked_message", responses=problem_responses(404))
    async def get_parked_message(_caller: Operator, parked_id: UUID) -> ParkedMessageResponse:
        """Headers and body too."""
        async with database.connect() as conn:
            return ParkedMessageResponse.of(await _get(conn, parked_id))


async def _get(conn: AsyncConnection, parked_id: UUID) -> ParkedMessage:
    try:
        return await parked.get_parked(conn, parked_id)
    except NotParked:
        raise not_found("parked message") from None


def _add_settling(router: APIRouter, database: Database, reappliers: parked.Reappliers) -> None:
    @router.post(
        "/{parked_id}/replay",
        operation_id="replay_parked_message",
        status_code=202,
        responses=problem_responses(409),
    )
    async def replay_parked_message(
        caller: Operator, parked_id: UUID, request: ReasonRequest
    ) -> ReplayResponse:
        """Send it to its queue again; it is `replaying` until it was applied there.

        What was applied already is not sent: 409 `already_applied`, and it is settled.
        """
        async with database.transaction() as conn:
            try:
                state = await parked.replay(
                    conn,
                    parked_id,
                    by=caller.actor(),
                    reason=request.reason,
                    reappliers=reappliers,
                )
            except NotParked:
                raise _settled() from None
            except Unprocessable as fault:
                raise Problem(422, fault.code, f"Still not applied: {fault.detail}.") from None
        if state == "already_applied":
            raise Problem(409, "already_applied", "It was applied already; nothing was sent.")
        return ReplayResponse(state=state)

    @router.post(
        "/{parked_id}/drop", operation_id="drop_parked_message", responses=problem_responses(409)
    )
    async def drop_parked_message(
        caller: Operator, parked_id: UUID, request: ReasonRequest
    ) -> DroppedResponse:
        """Give it up."""
        async with database.transaction() as conn:
            try:
                await parked.drop(conn, parked_id, by=caller.actor(), reason=request.reason)
            except NotParked:
                raise _settled() from None
        return DroppedResponse()


def _settled() -> Problem:
    return Problem(409, "not_parked", "It is not parked, or was settled before.")
