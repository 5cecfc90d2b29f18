"""Accounts: open, look, protect, close; emergency credit; supply; statement."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.access import Reader, may_see, own_customer
from npms_ledger.api.account_schemas import (
    AccountDetailResponse,
    AccountResponse,
    ProtectionRequest,
)
from npms_ledger.api.opening_schemas import OpenAccountRequest, OpenedResponse, opened_facts
from npms_ledger.api.paging import page_of
from npms_ledger.api.statement_schemas import PostingResponse
from npms_ledger.api.supply_schemas import SupplyResponse
from npms_ledger.handlers import audit_facts, change_account, look
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.open_by_hand import open_by_hand
from npms_shared.db import audit_trail
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.pages import Cursor, Limit, Page, encode_cursor, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import FilterId, PathId


def accounts_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts", tags=["accounts"])
    _add_opening(router, context)
    _add_reading(router, context)
    _add_statement(router, context)
    _add_changes(router, context)
    _add_closing(router, context)
    return router


def _add_opening(router: APIRouter, context: Context) -> None:
    @router.post(
        "",
        operation_id="open_account",
        status_code=201,
        response_model=OpenedResponse,
        responses=problem_responses(400, 409),
    )
    async def open_account(
        caller: Operator, key: IdempotencyKey, request: OpenAccountRequest
    ) -> JSONResponse:
        """Customer, account, usage point and installation in one call. Opening credit above what
        one person may move in a day waits as a money request; a policy of the account's own that
        lends more is refused: 409 `second_person_required`."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            command = request.to_command()
            now = context.clock.now()
            done = await open_by_hand(
                conn, command, by=caller.actor(), limits=context.alone_limits, now=now
            )
            opened, account = done.opened, done.opened.account
            subject = audit_facts.of_account(account.account_id)
            after = opened_facts(command, opened) | audit_facts.money_of(account)
            await audit_trail.note(
                conn, caller.actor(), "account_opened", subject=subject, now=now, after=after
            )
            return 201, OpenedResponse.of(done).model_dump(mode="json")

        return await answer_once(
            context.database, key=key, caller=caller, path="/accounts", body=request, act=act
        )


def _add_reading(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_accounts", responses=problem_responses())
    async def list_accounts(
        caller: Reader, cursor: Cursor = None, limit: Limit = 50, customer_id: FilterId = None
    ) -> Page[AccountResponse]:
        """By id; a customer gets their own."""
        wanted = customer_id if caller.is_staff() else own_customer(caller)
        after = number_in(cursor) or 0
        async with context.database.connect() as conn:
            found = await look.list_accounts(
                conn, after=after, limit=limit + 1, customer_id=wanted, now=context.clock.now()
            )
        return page_of(found, limit, AccountResponse.of, key=lambda view: view.facts.account_id)

    @router.get("/{account_id}", operation_id="get_account", responses=problem_responses(404))
    async def get_account(caller: Reader, account_id: PathId) -> AccountDetailResponse:
        """Balance, debt, emergency credit, supply, and what clears it."""
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )

    @router.get(
        "/{account_id}/supply", operation_id="list_supplies", responses=problem_responses(404)
    )
    async def list_supplies(caller: Reader, account_id: PathId) -> Page[SupplyResponse]:
        """What each supply should be, and what its relay was seen to be."""
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            rows, keep_on = await look.show_supply(conn, account_id, context.clock.now())
        return Page(items=[SupplyResponse.of(row, keep_on) for row in rows])


def _add_statement(router: APIRouter, context: Context) -> None:
    @router.get(
        "/{account_id}/statement", operation_id="list_statement", responses=problem_responses(404)
    )
    async def list_statement(
        caller: Reader, account_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[PostingResponse]:
        """Every posting, the newest first."""
        before = number_in(cursor) or look.NEWEST
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            currency = await look.currency_of(conn, account_id)
            rows = await look.show_statement(conn, account_id, before=before, limit=limit)
        items = [PostingResponse.of(row, currency) for row in rows]
        more = bool(items) and items[-1].seq > 1
        return Page(items=items, next_cursor=encode_cursor(items[-1].seq) if more else None)


def _add_changes(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{account_id}/emergency-credit",
        operation_id="accept_emergency_credit",
        dependencies=[COSTLY],
        responses=problem_responses(404, 409),
    )
    async def accept_emergency_credit(caller: Reader, account_id: PathId) -> AccountDetailResponse:
        """Accept what is offered; 409 while it is not."""
        async with context.database.transaction() as conn:
            await may_see(conn, caller, account_id)
            now = context.clock.now()
            account = await change_account.accept_emergency(
                conn, account_id, now, by=caller.subject
            )
            if caller.is_staff():
                subject, after = audit_facts.of_account(account_id), audit_facts.money_of(account)
                await audit_trail.note(
                    conn,
                    caller.actor(),
                    "emergency_credit_accepted",
                    subject=subject,
                    now=now,
                    after=after,
                )
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )

    @router.post(
        "/{account_id}/protection",
        operation_id="protect_account",
        responses=problem_responses(404, 409),
    )
    async def protect_account(
        caller: Operator, account_id: PathId, request: ProtectionRequest
    ) -> AccountDetailResponse:
        """Never cut this customer, for a time or for good; or no longer never."""
        async with context.database.transaction() as conn:
            now = context.clock.now()
            await change_account.protect_account(
                conn,
                account_id,
                protected=request.protected,
                until=request.until,
                now=now,
                by=caller.subject,
            )
            subject = audit_facts.of_account(account_id)
            after = request.model_dump(mode="json")
            await audit_trail.note(
                conn, caller.actor(), "protection_set", subject=subject, now=now, after=after
            )
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )


def _add_closing(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{account_id}/close", operation_id="close_account", responses=problem_responses(404, 409)
    )
    async def close_account(caller: Operator, account_id: PathId) -> AccountDetailResponse:
        """Switch off for good; what is left on the balance stays owed."""
        async with context.database.transaction() as conn:
            now = context.clock.now()
            account = await change_account.close_account(conn, account_id, now, by=caller.subject)
            subject, after = audit_facts.of_account(account_id), audit_facts.money_of(account)
            await audit_trail.note(
                conn, caller.actor(), "account_closed", subject=subject, now=now, after=after
            )
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )
