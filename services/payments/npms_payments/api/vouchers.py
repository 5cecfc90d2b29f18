"""Voucher batches."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.api.access import Admin
from npms_payments.api.schemas import BatchRequest, BatchView, to_batch_view
from npms_payments.domain.records import Batch
from npms_payments.handlers.context import Context
from npms_payments.handlers.make_vouchers import (
    MakeBatch,
    Printed,
    activate_batch,
    find_batch,
    make_batch,
)
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses

LIFETIME = timedelta(days=365)
PRIVATE = {"Cache-Control": "no-store"}


def vouchers_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/voucher-batches", tags=["vouchers"])
    _add_making(router, context)
    _add_upkeep(router, context)
    return router


def _add_making(router: APIRouter, context: Context) -> None:
    @router.post(
        "",
        operation_id="make_voucher_batch",
        status_code=201,
        response_model=BatchView,
        responses=problem_responses(400, 409),
    )
    async def make(request: BatchRequest, caller: Admin, key: IdempotencyKey) -> JSONResponse:
        """Make vouchers, inactive. Their PINs are in this answer only; a repetition of the
        request gets the batch without them."""
        made: list[tuple[Batch, list[Printed]]] = []

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            command = MakeBatch(
                value_micro=request.value.micro,
                currency=request.value.currency,
                count=request.count,
                expires_at=request.expires_at or context.clock.now() + LIFETIME,
                by=caller.subject,
            )
            made.append(await make_batch(conn, context, command))
            return 201, to_batch_view(made[0][0]).model_dump(mode="json")

        kept = await answer_once(
            context.database, key=key, caller=caller, path="voucher-batches", body=request, act=act
        )
        if not made:
            return kept
        view = to_batch_view(*made[0])
        return JSONResponse(view.model_dump(mode="json"), 201, headers=PRIVATE)


def _add_upkeep(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{batch_id}/activate",
        operation_id="activate_voucher_batch",
        responses=problem_responses(404, 409),
    )
    async def activate(batch_id: UUID, caller: Admin) -> BatchView:
        """Let the vouchers of a batch be redeemed from now on."""
        async with context.database.transaction() as conn:
            batch = await activate_batch(conn, context, batch_id, by=caller.subject)
        return to_batch_view(batch)

    @router.get("/{batch_id}", operation_id="get_voucher_batch", responses=problem_responses(404))
    async def get_batch(batch_id: UUID, _caller: Operator) -> BatchView:
        async with context.database.connect() as conn:
            return to_batch_view(await find_batch(conn, batch_id))
