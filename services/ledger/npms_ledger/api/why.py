"""Why: a charge, a balance, a cut, a top-up, each explained by what was posted and decided."""

from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Query

from npms_ledger.api.access import Reader, may_see
from npms_ledger.api.balance_why_schemas import BalanceWhyResponse
from npms_ledger.api.posting_why_schemas import PostingWhyResponse
from npms_ledger.api.supply_why_schemas import SupplyWhyResponse
from npms_ledger.api.top_up_why_schemas import TopUpWhyResponse
from npms_ledger.handlers import explain
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.errors import AccountUnknown
from npms_ledger.handlers.money_errors import PaymentUnknown
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Instant, PathId

From = Annotated[
    Instant | None,
    Query(
        alias="from",
        description="with an offset; posted at or after it; without: since the opening",
        examples=["2026-11-01T00:00:00+03:00"],
    ),
]
To = Annotated[
    Instant | None,
    Query(
        alias="to",
        description="with an offset; posted before it; without: until now",
        examples=["2026-12-01T00:00:00+03:00"],
    ),
]


def why_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["why"])
    _add_posting(router, context)
    _add_balance(router, context)
    _add_supply(router, context)
    _add_top_up(router, context)
    return router


def _add_posting(router: APIRouter, context: Context) -> None:
    @router.get(
        "/accounts/{account_id}/postings/{seq}/why",
        operation_id="explain_posting",
        responses=problem_responses(404),
    )
    async def explain_posting(
        caller: Reader, account_id: PathId, seq: PathId
    ) -> PostingWhyResponse:
        """Readings, plan version, each line as a difference of cumulative costs, tax, rounding."""
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            return PostingWhyResponse.of(await explain.explain_posting(conn, account_id, seq))


def _add_balance(router: APIRouter, context: Context) -> None:
    @router.get(
        "/accounts/{account_id}/why",
        operation_id="explain_balance",
        responses=problem_responses(404),
    )
    async def explain_balance(
        caller: Reader, account_id: PathId, begin: From = None, end: To = None
    ) -> BalanceWhyResponse:
        """Where the money went: bucket by bucket, opening + entries by kind = closing."""
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            return BalanceWhyResponse.of(
                await explain.explain_balance(conn, account_id, begin, end)
            )


def _add_supply(router: APIRouter, context: Context) -> None:
    @router.get(
        "/accounts/{account_id}/supply/why",
        operation_id="explain_supply",
        responses=problem_responses(404),
    )
    async def explain_supply(caller: Reader, account_id: PathId) -> SupplyWhyResponse:
        """Why supply was cut: policy, balance, floor, hold, who decided, what had avoided it."""
        async with context.database.connect() as conn:
            await may_see(conn, caller, account_id)
            return SupplyWhyResponse.of(await explain.explain_supply(conn, account_id))


def _add_top_up(router: APIRouter, context: Context) -> None:
    @router.get(
        "/payments/{payment_id}/why",
        operation_id="explain_top_up",
        responses=problem_responses(404),
    )
    async def explain_top_up(caller: Reader, payment_id: UUID) -> TopUpWhyResponse:
        """Where a payment went: to charges, debts, emergency credit, balance; before and after."""
        async with context.database.connect() as conn:
            account_id = await explain.account_of_payment(conn, payment_id)
            try:
                await may_see(conn, caller, account_id)
            except AccountUnknown:
                raise PaymentUnknown(payment_id) from None
            return TopUpWhyResponse.of(await explain.explain_top_up(conn, payment_id))
