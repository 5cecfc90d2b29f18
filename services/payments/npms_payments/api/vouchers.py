"""Voucher batches."""

from dataclasses import asdict
from datetime import timedelta
from typing import Any
from uuid import UUID

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.api.access import Admin
from npms_payments.api.schemas import VoucherBatchRequest, VoucherBatchResponse
from npms_payments.handlers.context import Context
from npms_payments.handlers.make_vouchers import (
    MakeBatch,
    activate_batch,
    find_batch,
    make_batch,
    print_batch,
    reject_batch,
)
from npms_shared.approval import Approval
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import ReasonRequest

LIFETIME = timedelta(days=365)
PRIVATE = {"Cache-Control": "no-store"}


def vouchers_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/voucher-batches", tags=["vouchers"])
    _add_making(router, context)
    _add_printing(router, context)
    _add_deciding(router, context)
    _add_looking(router, context)
    return router


def _add_making(router: APIRouter, context: Context) -> None:
    @router.post(
        "",
        operation_id="make_voucher_batch",
        status_code=201,
        response_model=VoucherBatchResponse,
        responses=problem_responses(400, 409),
    )
    async def make(
        request: VoucherBatchRequest, caller: Admin, key: IdempotencyKey
    ) -> JSONResponse:
        """Ask for vouchers. Another person prints them, a third one activates them."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            command = MakeBatch(
                value_micro=request.value.micro,
                currency=request.value.currency,
                count=request.count,
                expires_at=request.expires_at or context.clock.now() + LIFETIME,
                by=caller.subject,
            )
            made = await make_batch(conn, context, command)
            return 201, VoucherBatchResponse.of(made).model_dump(mode="json")

        return await answer_once(
            context.database, key=key, caller=caller, path="voucher-batches", body=request, act=act
        )


def _add_printing(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{batch_id}/print",
        operation_id="print_voucher_batch",
        responses=problem_responses(404, 409),
    )
    async def print_(batch_id: UUID, caller: Admin, response: Response) -> VoucherBatchResponse:
        """The vouchers with their PINs, inactive; by another person than who asked for them. The
        PINs are in this answer only: where it is lost, reject the batch and make another."""
        async with context.database.transaction() as conn:
            batch, printed = await print_batch(conn, context, batch_id, by=caller.subject)
        response.headers.update(PRIVATE)
        return VoucherBatchResponse.of(batch, printed)


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{batch_id}/activate",
        operation_id="activate_voucher_batch",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def activate(batch_id: UUID, caller: Admin, seen: Seen) -> VoucherBatchResponse:
        """Let the vouchers of a printed batch be redeemed from now on; by a third person."""
        approval = Approval(caller.subject, seen)
        async with context.database.transaction() as conn:
            batch = await activate_batch(conn, context, batch_id, approval=approval)
        return VoucherBatchResponse.of(batch)

    @router.post(
        "/{batch_id}/reject",
        operation_id="reject_voucher_batch",
        responses=problem_responses(404, 409),
    )
    async def reject(batch_id: UUID, request: ReasonRequest, caller: Admin) -> VoucherBatchResponse:
        """Its vouchers are never redeemed; who asked for it takes it back so."""
        async with context.database.transaction() as conn:
            batch = await reject_batch(
                conn, context, batch_id, by=caller.subject, reason=request.reason
            )
        return VoucherBatchResponse.of(batch)


def _add_looking(router: APIRouter, context: Context) -> None:
    @router.get("/{batch_id}", operation_id="get_voucher_batch", responses=problem_responses(404))
    async def get_batch(
        batch_id: UUID, _caller: Operator, response: Response
    ) -> VoucherBatchResponse:
        """Without PINs; with the ETag that activating asks for."""
        async with context.database.connect() as conn:
            batch = await find_batch(conn, batch_id)
        show_etag(response, asdict(batch))
        return VoucherBatchResponse.of(batch)
