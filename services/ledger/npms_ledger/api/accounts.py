"""Accounts: open, look, protect, close; emergency credit; supply; statement."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.account_schemas import (
    AccountDetailResponse,
    AccountResponse,
    OpenAccountRequest,
    OpenedResponse,
    ProtectionRequest,
    SupplyResponse,
    to_api_account,
    to_api_detail,
    to_api_opened,
    to_api_supply,
)
from npms_ledger.api.statement_schemas import StatementEntry, to_api_entry
from npms_ledger.handlers import change_account, look
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.handlers.open_account import open_account
from npms_shared.auth.tokens import Principal
from npms_shared.clock import Clock
from npms_shared.db.engine import Database
from npms_shared.web.idempotency import fingerprint, idempotency_key, run_once
from npms_shared.web.principals import require
from npms_shared.web.problems import Problem, problem_responses
from npms_shared.web.schemas import Page, decode_cursor, encode_cursor

Staff = Annotated[Principal, Depends(require("operator", "admin"))]
Anyone = Annotated[Principal, Depends(require("operator", "admin", "service", "customer"))]
Limit = Annotated[int, Query(ge=1, le=500)]
Key = Annotated[str, Depends(idempotency_key)]


def accounts_router(database: Database, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/accounts", tags=["accounts"])

    @router.post(
        "",
        operation_id="open_account",
        status_code=201,
        response_model=OpenedResponse,
        responses=problem_responses(400, 409),
    )
    async def open_(caller: Staff, key: Key, request: OpenAccountRequest) -> JSONResponse:
        """Customer, account, usage point and installation in one call."""
        async with database.transaction() as conn:

            async def act() -> tuple[int, dict[str, Any]]:
                opened = await open_account(
                    conn, request.to_command(), now=clock.now(), by=caller.subject
                )
                return 201, to_api_opened(opened).model_dump(mode="json")

            return await run_once(
                conn,
                key=key,
                caller=caller,
                request_fingerprint=fingerprint("/accounts", request),
                action=act,
            )

    @router.get("", operation_id="list_accounts", responses=problem_responses())
    async def list_(
        caller: Anyone,
        cursor: str | None = None,
        limit: Limit = 50,
        customer_id: int | None = None,
    ) -> Page[AccountResponse]:
        """By id; a customer gets their own."""
        wanted = customer_id if caller.is_staff() else _own(caller)
        after = _position(cursor, beginning=0)
        async with database.connect() as conn:
            found = await look.list_accounts(conn, after=after, limit=limit, customer_id=wanted)
        items = [to_api_account(view) for view in found]
        full = len(items) == limit
        return Page(items=items, next_cursor=encode_cursor(items[-1].account_id) if full else None)

    @router.get("/{account_id}", operation_id="get_account", responses=problem_responses(404))
    async def show(caller: Anyone, account_id: int) -> AccountDetailResponse:
        """Balance, debt, emergency credit, supply, and what clears it."""
        async with database.connect() as conn:
            await _may_see(conn, caller, account_id)
            return to_api_detail(await look.show_account(conn, account_id))

    @router.get("/{account_id}/supply", operation_id="get_supply", responses=problem_responses(404))
    async def supply(caller: Anyone, account_id: int) -> list[SupplyResponse]:
        """What each supply should be, and what its relay was seen to be."""
        async with database.connect() as conn:
            await _may_see(conn, caller, account_id)
            return [to_api_supply(row) for row in await look.show_supply(conn, account_id)]

    @router.get(
        "/{account_id}/statement",
        operation_id="get_statement",
        responses=problem_responses(404),
    )
    async def statement(
        caller: Anyone, account_id: int, cursor: str | None = None, limit: Limit = 50
    ) -> Page[StatementEntry]:
        """Every posting, the newest first."""
        before = _position(cursor, beginning=look.NEWEST)
        async with database.connect() as conn:
            await _may_see(conn, caller, account_id)
            detail = await look.show_account(conn, account_id)
            rows = await look.show_statement(conn, account_id, before=before, limit=limit)
        items = [to_api_entry(row, detail.view.account.currency) for row in rows]
        more = bool(items) and items[-1].seq > 1
        return Page(items=items, next_cursor=encode_cursor(items[-1].seq) if more else None)

    return router


def account_changes_router(database: Database, clock: Clock) -> APIRouter:
    router = APIRouter(prefix="/accounts", tags=["accounts"])

    @router.post(
        "/{account_id}/emergency-credit",
        operation_id="accept_emergency_credit",
        responses=problem_responses(404, 409),
    )
    async def accept(caller: Anyone, account_id: int) -> AccountDetailResponse:
        """Accept what is offered; 409 while it is not."""
        async with database.transaction() as conn:
            await _may_see(conn, caller, account_id)
            await change_account.accept_emergency(conn, account_id, clock.now())
            return to_api_detail(await look.show_account(conn, account_id))

    @router.post(
        "/{account_id}/protection",
        operation_id="protect_account",
        responses=problem_responses(404, 409),
    )
    async def protect(
        _caller: Staff, account_id: int, request: ProtectionRequest
    ) -> AccountDetailResponse:
        """Never cut this customer, or no longer never."""
        async with database.transaction() as conn:
            await change_account.protect_account(
                conn, account_id, protected=request.protected, now=clock.now()
            )
            return to_api_detail(await look.show_account(conn, account_id))

    @router.post(
        "/{account_id}/close",
        operation_id="close_account",
        responses=problem_responses(404, 409),
    )
    async def close(_caller: Staff, account_id: int) -> AccountDetailResponse:
        """Switch off for good; what is left on the balance stays owed."""
        async with database.transaction() as conn:
            await change_account.close_account(conn, account_id, clock.now())
            return to_api_detail(await look.show_account(conn, account_id))

    return router


async def _may_see(conn: AsyncConnection, caller: Principal, account_id: int) -> None:
    """Somebody else's account looks like none."""
    if not caller.may_see(await look.owner_of(conn, account_id)):
        raise AccountUnknown(account_id)


def _own(caller: Principal) -> int:
    return caller.customer_id if caller.customer_id is not None else -1


def _position(cursor: str | None, *, beginning: int) -> int:
    position = decode_cursor(cursor)
    if position is None:
        return beginning
    if len(position) != 1 or not isinstance(position[0], int):
        raise Problem(422, "bad_cursor", "The cursor was not given by this list.")
    return position[0]
