"""Support tickets: opened, answered, closed, read."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from npms_notifier.api.schemas import ConversationOut, TicketIn, TicketMessageIn, TicketOut
from npms_notifier.domain.tickets import TicketState
from npms_notifier.handlers.tickets import Desk, list_tickets, read_ticket
from npms_shared.db.engine import Database
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import FilterId, PathId

StateFilter = Annotated[TicketState | None, Query(description="only those in this state")]


def tickets_router(database: Database, desk: Desk) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["tickets"])
    _add_writing(router, database, desk)
    _add_reading(router, database)
    return router


def _add_writing(router: APIRouter, database: Database, desk: Desk) -> None:
    @router.post(
        "/accounts/{account_id}/tickets",
        operation_id="open_ticket",
        dependencies=[COSTLY],
        status_code=201,
        responses=problem_responses(404),
    )
    async def open_ticket(account_id: PathId, body: TicketIn, caller: Caller) -> ConversationOut:
        """Ask a question, or write one down for a customer."""
        async with database.transaction() as conn:
            opened = await desk.open_ticket(
                conn, account_id, caller, subject=body.subject, body=body.body
            )
        return ConversationOut.of_conversation(opened)

    @router.post(
        "/tickets/{ticket_id}/messages",
        operation_id="write_ticket_message",
        dependencies=[COSTLY],
        status_code=201,
        responses=problem_responses(404, 409),
    )
    async def write_message(
        ticket_id: UUID, body: TicketMessageIn, caller: Caller
    ) -> ConversationOut:
        """An operator's message answers and is sent to the customer; a customer's asks again."""
        async with database.transaction() as conn:
            written = await desk.write_message(conn, ticket_id, caller, body=body.body)
        return ConversationOut.of_conversation(written)

    @router.post(
        "/tickets/{ticket_id}/close",
        operation_id="close_ticket",
        responses=problem_responses(404),
    )
    async def close_ticket(ticket_id: UUID, caller: Caller) -> ConversationOut:
        """Nothing can be written in it afterwards; closing again changes nothing."""
        async with database.transaction() as conn:
            closed = await desk.close_ticket(conn, ticket_id, caller)
        return ConversationOut.of_conversation(closed)


def _add_reading(router: APIRouter, database: Database) -> None:
    @router.get("/tickets", operation_id="list_tickets", responses=problem_responses(404))
    async def get_tickets(
        caller: Caller,
        account_id: FilterId = None,
        state: StateFilter = None,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[TicketOut]:
        """Newest first: an operator sees all, a customer their own."""
        before = id_in(cursor)
        async with database.connect() as conn:
            rows = await list_tickets(
                conn, caller, account_id=account_id, state=state, before=before, most=limit + 1
            )
        page, following = cut(rows, limit, lambda row: row.ticket_id)
        return Page(items=[TicketOut.of(row) for row in page], next_cursor=following)

    @router.get("/tickets/{ticket_id}", operation_id="get_ticket", responses=problem_responses(404))
    async def get_ticket(ticket_id: UUID, caller: Caller) -> ConversationOut:
        """A ticket with everything written in it."""
        async with database.connect() as conn:
            return ConversationOut.of_conversation(await read_ticket(conn, ticket_id, caller))
