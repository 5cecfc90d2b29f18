"""What people do about one account's supply: keep it on, see why it was decided."""

from fastapi import APIRouter

from npms_ledger.api.access import Reader, may_see
from npms_ledger.api.account_schemas import AccountDetailResponse
from npms_ledger.api.paging import page_of
from npms_ledger.api.supply_schemas import (
    KeepOnRecordResponse,
    KeepOnRequest,
    SupplyDecisionResponse,
)
from npms_ledger.handlers import audit_facts, keep_on, look
from npms_ledger.handlers.context import Context
from npms_shared.db import audit_trail
from npms_shared.web.pages import Cursor, Limit, Page, id_in, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId


def supply_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/accounts", tags=["supply"])
    _add_keep_on(router, context)
    _add_keep_on_list(router, context)
    _add_decisions(router, context)
    return router


def _add_keep_on(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{account_id}/keep-on",
        operation_id="keep_supply_on",
        responses=problem_responses(404, 409),
    )
    async def keep_supply_on(
        caller: Operator, account_id: PathId, request: KeepOnRequest
    ) -> AccountDetailResponse:
        """Keep the supply on until then, whatever the credit; a later word replaces this one."""
        async with context.database.transaction() as conn:
            now = context.clock.now()
            await keep_on.keep_on(
                conn,
                account_id,
                until=request.until,
                reason=request.reason,
                now=now,
                by=caller.subject,
            )
            await audit_trail.note(
                conn,
                caller.actor(),
                "supply_kept_on",
                subject=audit_facts.of_account(account_id),
                now=now,
                reason=request.reason,
                after={"until": request.until.isoformat()},
            )
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )

    @router.delete(
        "/{account_id}/keep-on",
        operation_id="end_keep_supply_on",
        responses=problem_responses(404, 409),
    )
    async def end_keep_supply_on(caller: Operator, account_id: PathId) -> AccountDetailResponse:
        """Leave the supply to the rules again; 409 where nobody keeps it on."""
        async with context.database.transaction() as conn:
            now, subject = context.clock.now(), audit_facts.of_account(account_id)
            await keep_on.let_go(conn, account_id, now=now, by=caller.subject)
            await audit_trail.note(conn, caller.actor(), "keep_on_ended", subject=subject, now=now)
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )


def _add_keep_on_list(router: APIRouter, context: Context) -> None:
    @router.get(
        "/{account_id}/keep-on", operation_id="list_keep_ons", responses=problem_responses(404)
    )
    async def list_keep_ons(
        _caller: Operator, account_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[KeepOnRecordResponse]:
        """Who ever kept the supply on, until when and why; the newest first."""
        async with context.database.connect() as conn:
            await look.owner_of(conn, account_id)
            rows = await keep_on.list_keep_ons(
                conn, account_id, before=id_in(cursor), limit=limit + 1
            )
        return page_of(
            rows,
            limit,
            KeepOnRecordResponse.of,
            key=lambda row: row.keep_on_id,
        )


def _add_decisions(router: APIRouter, context: Context) -> None:
    @router.get(
        "/{account_id}/supply/decisions",
        operation_id="list_supply_decisions",
        responses=problem_responses(404),
    )
    async def list_supply_decisions(
        caller: Reader, account_id: PathId, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[SupplyDecisionResponse]:
        """Why the supply was switched, each time; the newest first."""
        before = number_in(cursor) or look.NEWEST
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            currency = await look.currency_of(conn, account_id)
            rows = await look.show_decisions(conn, account_id, before=before, limit=limit + 1)
        return page_of(
            rows,
            limit,
            lambda row: SupplyDecisionResponse.of(row, currency),
            key=lambda row: row.decision_id,
        )
