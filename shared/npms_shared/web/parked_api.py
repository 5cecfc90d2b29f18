"""Parked messages over REST, for operators: list, show, replay, drop."""

import base64
from datetime import datetime
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel, Field

from npms_shared.db.engine import Database
from npms_shared.messaging import parked
from npms_shared.messaging.subscriptions import Unprocessable
from npms_shared.web.pages import Limit
from npms_shared.web.principals import Operator
from npms_shared.web.problems import Problem, not_found, problem_responses
from npms_shared.web.schemas import ReasonRequest


class ParkedSummary(BaseModel):
    """A message that waits for a decision."""

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


class ParkedDetail(ParkedSummary):
    headers: dict[str, Any]
    body: str = Field(description="text, or base64 where it is no UTF-8")


def parked_router(database: Database, elsewhere: parked.Elsewhere = parked.NOWHERE) -> APIRouter:
    router = APIRouter(prefix="/v1/parked-messages", tags=["parked messages"])
    _add_looking(router, database)
    _add_settling(router, database, elsewhere)
    return router


def _add_looking(router: APIRouter, database: Database) -> None:
    @router.get("", operation_id="list_parked_messages", responses=problem_responses())
    async def list_parked(_caller: Operator, limit: Limit = 100) -> list[ParkedSummary]:
        """The oldest first."""
        async with database.connect() as conn:
            rows = await parked.list_parked(conn, limit=limit)
        return [ParkedSummary.model_validate(row, from_attributes=True) for row in rows]

    @router.get(
        "/{parked_id}", operation_id="show_parked_message", responses=problem_responses(404)
    )
    async def show(_caller: Operator, parked_id: UUID) -> ParkedDetail:
        """Headers and body too."""
        async with database.connect() as conn:
            try:
                row = await parked.show(conn, parked_id)
            except parked.NotParked:
                raise not_found("parked message") from None
        fields = {**row._mapping, "body": readable(row.body)}
        return ParkedDetail.model_validate(fields)


def _add_settling(router: APIRouter, database: Database, elsewhere: parked.Elsewhere) -> None:
    @router.post(
        "/{parked_id}/replay",
        operation_id="replay_parked_message",
        status_code=202,
        responses=problem_responses(409),
    )
    async def replay(caller: Operator, parked_id: UUID, body: ReasonRequest) -> dict[str, str]:
        """Send it to its queue again; it is `replaying` until it was applied there.

        What was applied already is not sent: 409 `already_applied`, and it is settled.
        """
        async with database.transaction() as conn:
            try:
                state = await parked.replay(
                    conn,
                    parked_id,
                    by=caller.subject,
                    reason=body.reason,
                    elsewhere=elsewhere,
                )
            except parked.NotParked:
                raise _settled() from None
            except Unprocessable as fault:
                raise Problem(422, fault.code, f"Still not applied: {fault.detail}.") from None
        if state == "already_applied":
            raise Problem(409, "already_applied", "It was applied already; nothing was sent.")
        return {"state": state}

    @router.post(
        "/{parked_id}/drop", operation_id="drop_parked_message", responses=problem_responses(409)
    )
    async def drop(caller: Operator, parked_id: UUID, body: ReasonRequest) -> dict[str, str]:
        """Give it up."""
        async with database.transaction() as conn:
            try:
                await parked.drop(conn, parked_id, by=caller.subject, reason=body.reason)
            except parked.NotParked:
                raise _settled() from None
        return {"state": "dropped"}


def _settled() -> Problem:
    return Problem(409, "not_parked", "It is not parked, or was settled before.")


def readable(body: bytes) -> str:
    """As text, or base64 where it is no UTF-8."""
    try:
        return body.decode()
    except UnicodeDecodeError:
        return base64.b64encode(body).decode()
