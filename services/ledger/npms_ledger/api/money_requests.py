"""Money that somebody asked to move: listed, and agreed to by another."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from npms_ledger.api.deciding import Decidable, add_deciding
from npms_ledger.api.money_schemas import (
    MoneyRequestResponse,
)
from npms_ledger.api.paging import page_of
from npms_ledger.handlers import money_decisions, money_requests
from npms_ledger.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import FilterId

State = Annotated[Literal["requested", "posted", "rejected"] | None, Query()]
MONEY_REQUEST = Decidable(
    name="money_request",
    key="request_id",
    response=MoneyRequestResponse,
    find=money_requests.show_request,
    reviewed=lambda row: row._mapping,
    approve=money_decisions.approve,
    approving="Post what somebody else asked for.",
    reject=money_decisions.reject,
    rejecting="Move nothing; who asked for it takes it back so.",
)


def money_requests_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/money-requests", tags=["money moved by people"])
    _add_listing(router, context)
    add_deciding(router, context, MONEY_REQUEST)
    return router


def _add_listing(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_money_requests", responses=problem_responses())
    async def list_money_requests(
        _caller: Operator,
        cursor: Cursor = None,
        limit: Limit = 50,
        state: State = None,
        account_id: FilterId = None,
    ) -> Page[MoneyRequestResponse]:
        """The newest first; `state=requested` are those that wait for a second person."""
        after = id_in(cursor)
        async with context.database.connect() as conn:
            rows = await money_requests.list_requests(
                conn, after=after, limit=limit + 1, state=state, account_id=account_id
            )
        return page_of(rows, limit, MoneyRequestResponse.of, key=lambda row: row.request_id)
