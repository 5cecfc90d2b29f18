"""Credits of an account: every one with its state; granted, and ended before their time."""

from operator import itemgetter
from typing import Annotated, Any

from fastapi import APIRouter, Path
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.access import Reader, may_see
from npms_ledger.api.credit_schemas import (
    CreditResponse,
    GrantRequest,
)
from npms_ledger.api.money_schemas import MoneyRequestResponse
from npms_ledger.api.moved_money import ASKED
from npms_ledger.api.paging import page_of
from npms_ledger.handlers import audit_facts, grants
from npms_ledger.handlers.context import Context
from npms_shared.db import audit_trail
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.pages import Cursor, Limit, Page, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId, ReasonRequest

GrantNo = Annotated[int, Path(ge=1, le=2**31 - 1, examples=[1])]


def credits_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts/{account_id}/credits", tags=["credits"])
    _add_listing(router, context)
    _add_granting(router, context)
    _add_ending(router, context)
    return router


def _add_listing(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_credits", responses=problem_responses(404))
    async def list_credits(
        caller: Reader, account_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[CreditResponse]:
        """In the order of their use: balance, emergency credit and every grant there ever was."""
        begins = number_in(cursor) or 0
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            shown = await _credits(conn, account_id, context)
        numbered = list(enumerate(shown, start=1))[begins : begins + limit + 1]
        return page_of(numbered, limit, itemgetter(1), key=itemgetter(0))


def _add_granting(router: APIRouter, context: Context) -> None:
    @router.post(
        "",
        operation_id="grant_credit",
        status_code=201,
        response_model=CreditResponse,
        responses=ASKED,
    )
    async def grant_credit(
        caller: Operator, key: IdempotencyKey, account_id: PathId, request: GrantRequest
    ) -> JSONResponse:
        """Grant a credit beside the balance; 202 where a second person must agree: above what one
        person may move in a day, and whatever is granted anew each month."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            new = request.to_new()
            granted = await grants.request_grant(
                conn,
                account_id,
                new,
                by=caller.actor(),
                limits=context.alone_limits,
                now=context.clock.now(),
            )
            if not isinstance(granted, grants.Granted):
                return 202, MoneyRequestResponse.of(granted).model_dump(mode="json")
            shown = (await _shown(conn, account_id, granted.number, context)).model_dump(
                mode="json"
            )
            await audit_trail.note(
                conn,
                caller.actor(),
                "credit_granted",
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
            path=f"/accounts/{account_id}/credits",
            body=request,
            act=act,
        )


def _add_ending(router: APIRouter, context: Context) -> None:
    @router.post("/{grant_no}/end", operation_id="end_grant", responses=problem_responses(404, 409))
    async def end_grant(
        caller: Operator, account_id: PathId, grant_no: GrantNo, request: ReasonRequest
    ) -> CreditResponse:
        """Let what is left of a grant expire now."""
        async with context.database.transaction() as conn:
            await grants.end_grant(
                conn,
                account_id,
                grant_no,
                now=context.clock.now(),
                by=caller.subject,
                why=request.reason,
            )
            await audit_trail.note(
                conn,
                caller.actor(),
                "grant_ended",
                subject=audit_facts.of_account(account_id),
                now=context.clock.now(),
                reason=request.reason,
                after={"number": grant_no},
            )
            return await _shown(conn, account_id, grant_no, context)


async def _credits(
    conn: AsyncConnection, account_id: int, context: Context
) -> list[CreditResponse]:
    """Each credit with its state, in the order of use. Raises AccountUnknown."""
    found = await grants.show_credits(conn, account_id, context.clock.now())
    return [CreditResponse.of(credit, found.account.currency) for credit in found.credits]


async def _shown(
    conn: AsyncConnection, account_id: int, number: int, context: Context
) -> CreditResponse:
    shown = await _credits(conn, account_id, context)
    return next(credit for credit in shown if credit.number == number)
