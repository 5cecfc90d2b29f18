"""Support tickets: opened, answered, closed, read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from npms_notifier.api.schemas import (
    ConversationResponse,
    TicketMessageRequest,
    TicketRequest,
    TicketResponse,
)
from npms_notifier.domain.tickets import TicketState
from npms_notifier.handlers import tickets
from npms_notifier.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import FilterId, PathId

StateFilter = Annotated[TicketState | None, Query(description="only those in this state")]


def tickets_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["tickets"])
    _add_writing(router, context)
    _add_reading(router, context)
    return router


def _add_writing(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/tickets",
        operation_id="open_ticket",
        dependencies=[COSTLY],
        status_code=201,
        responses=problem_responses(404),
    )
    async def open_ticket(
        account_id: PathId, request: TicketRequest, caller: Caller
    ) -> ConversationResponse:
        """Ask a question, or write one down for a customer."""
        async with context.database.transaction() as conn:
            opened = await tickets.open_ticket(
                conn, context, account_id, caller, subject=request.subject, body=request.body
            )
        return ConversationResponse.of(opened)

    @router.post(
        "/tickets/{ticket_id}/messages",
        operation_id="write_ticket_message",
        dependencies=[COSTLY],
        status_code=201,
        responses=problem_responses(404, 409),
    )
    async def write_ticket_message(
        ticket_id: UUID, request: TicketMessageRequest, caller: Caller
    ) -> ConversationResponse:
        """An operator's message answers and is sent to the customer; a customer's asks again."""
        async with context.database.transaction() as conn:
            written = await tickets.write_ticket_message(
                conn, context, ticket_id, caller, body=request.body
            )
        return ConversationResponse.of(written)

    @router.post(
        "/tickets/{ticket_id}/close",
        operation_id="close_ticket",
        responses=problem_responses(404),
    )
    async def close_ticket(ticket_id: UUID, caller: Caller) -> ConversationResponse:
        """Nothing can be written in it afterwards; closing again changes nothing."""
        async with context.database.transaction() as conn:
            closed = await tickets.close_ticket(conn, context, ticket_id, caller)
        return ConversationResponse.of(closed)


def _add_reading(router: APIRouter, context: Context) -> None:
    @router.get("/tickets", operation_id="list_tickets", responses=problem_responses(404))
    async def list_tickets(
        caller: Caller,
        account_id: FilterId = None,
        state: StateFilter = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[TicketResponse]:
        """Newest first: an operator sees all, a customer their own."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            rows = await tickets.list_tickets(
                conn, caller, account_id=account_id, state=state, before=before, most=limit + 1
            )
        page, following = cut(rows, limit, lambda row: row.ticket_id)
        return Page(items=[TicketResponse.of(row) for row in page], next_cursor=following)

    @router.get("/tickets/{ticket_id}", operation_id="get_ticket", responses=problem_responses(404))
    async def get_ticket(ticket_id: UUID, caller: Caller) -> ConversationResponse:
        """A ticket with everything written in it."""
        async with context.database.connect() as conn:
            return ConversationResponse.of(await tickets.get_ticket(conn, ticket_id, caller))
