"""Debts of an account: listed, taken over, their terms changed."""

from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.access import Reader, may_see
from npms_ledger.api.debt_schemas import (
    ChangeDebtRequest,
    DebtRequest,
    DebtResponse,
)
from npms_ledger.api.paging import page_of
from npms_ledger.handlers import audit_facts, debts, look
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.errors import CurrencyMismatch, DebtUnknown
from npms_shared.db import audit_trail
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.pages import Cursor, Limit, Page, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId

DebtNo = Annotated[int, Path(ge=0, le=2**31 - 1, examples=[1])]


def debts_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{account_id}/debts", tags=["debts"])
    _add_listing(router, context)
    _add_taking_over(router, context)
    _add_changing(router, context)
    return router


def _add_listing(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_debts", responses=problem_responses(404))
    async def list_debts(
        caller: Reader, account_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[DebtResponse]:
        """By number, recovered ones too."""
        after = number_in(cursor)
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            currency = await look.currency_of(conn, account_id)
            rows = await debts.list_debts(
                conn, account_id, after=-1 if after is None else after, limit=limit + 1
            )
        return page_of(
            rows, limit, lambda row: DebtResponse.of(row, currency), key=lambda row: row.debt_no
        )


def _add_taking_over(router: APIRouter, context: Context) -> None:
    @router.post(
        "",
        operation_id="add_debt",
        status_code=201,
        response_model=DebtResponse,
        responses=problem_responses(400, 404, 409),
    )
    async def add_debt(
        caller: Operator, key: IdempotencyKey, account_id: PathId, request: DebtRequest
    ) -> JSONResponse:
        """Take over a debt; the account owes it from now on."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            currency = await look.currency_of(conn, account_id)
            if request.amount.currency != currency:
                raise CurrencyMismatch("debt", request.amount.currency, currency)
            number = await debts.take_over_debt(
                conn, account_id, request.to_new(), now=context.clock.now(), by=caller.subject
            )
            shown = (await _shown(conn, account_id, number)).model_dump(mode="json")
            await audit_trail.note(
                conn,
                caller.actor(),
                "debt_added",
                subject=audit_facts.of_account(account_id),
                now=context.clock.now(),
                reason=request.reason,
                after=shown,
            )
            return 201, shown

        return await answer_once(
            context.database,
            key=key,
            caller=caller,
            path=f"/accounts/{account_id}/debts",
            body=request,
            act=act,
        )


def _add_changing(router: APIRouter, context: Context) -> None:
    @router.put("/{debt_no}", operation_id="change_debt", responses=problem_responses(404, 409))
    async def change_debt(
        caller: Operator, account_id: PathId, debt_no: DebtNo, request: ChangeDebtRequest
    ) -> DebtResponse:
        """Recover an open debt by other terms."""
        async with context.database.transaction() as conn:
            before = await _shown(conn, account_id, debt_no)
            await debts.change_debt(
                conn,
                account_id,
                debt_no,
                terms=request.to_terms(),
                now=context.clock.now(),
                by=caller.subject,
                why=request.reason,
            )
            after = await _shown(conn, account_id, debt_no)
            await audit_trail.note(
                conn,
                caller.actor(),
                "debt_changed",
                subject=audit_facts.of_account(account_id),
                now=context.clock.now(),
                reason=request.reason,
                before=before.model_dump(mode="json"),
                after=after.model_dump(mode="json"),
            )
            return after


async def _shown(conn: AsyncConnection, account_id: int, number: int) -> DebtResponse:
    """Raises AccountUnknown, DebtUnknown."""
    currency = await look.currency_of(conn, account_id)
    rows = await debts.list_debts(conn, account_id, after=number - 1, limit=1)
    if not rows or rows[0].debt_no != number:
        raise DebtUnknown(number)
    return DebtResponse.of(rows[0], currency)
