"""Top-ups, vouchers and payments of accounts."""

import json
from typing import Any
from uuid import UUID

from fastapi import APIRouter
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_payments.api.access import Collector, Looker, check_sees, issuer_of, own_account
from npms_payments.api.money_request_schemas import MoneyRequestResponse
from npms_payments.api.schemas import (
    PaymentRequest,
    PaymentResponse,
    SuspenseResponse,
    TopUpRequest,
    VoucherRequest,
)
from npms_payments.domain.records import Money, MoneyRequest, Payment
from npms_payments.domain.vouchers import lookup_key
from npms_payments.handlers.context import Context
from npms_payments.handlers.money_requests import record_by_hand
from npms_payments.handlers.order_top_up import OrderTopUp, open_order, show_order, write_order
from npms_payments.handlers.read import find_payment, list_payments
from npms_payments.handlers.record_payment import RecordPayment, record_payment
from npms_payments.handlers.redeem_voucher import Guards, Redeem, attempt, redeem
from npms_shared.web.idempotency import IdempotencyKey, answer_once, run_once
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in
from npms_shared.web.principals import Caller
from npms_shared.web.problems import Problem, problem_responses
from npms_shared.web.rates import COSTLY
from npms_shared.web.schemas import PathId


def payments_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["payments"])
    _add_top_ups(router, context)
    _add_vouchers(router, context)
    _add_collection(router, context)
    _add_reading(router, context)
    return router


def _add_top_ups(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/top-ups",
        operation_id="order_top_up",
        dependencies=[COSTLY],
        status_code=201,
        response_model=PaymentResponse,
        responses=problem_responses(400, 404, 409),
    )
    async def order_top_up(
        account_id: PathId, request: TopUpRequest, caller: Caller, key: IdempotencyKey
    ) -> JSONResponse:
        """Order an online top-up; the payer goes to `checkout.url`.

        `outcome_unknown` means that the provider did not answer: it will be asked
        again, and the payment shows what came of it.
        """
        written: list[UUID] = []

        async def write(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            await own_account(conn, account_id, caller)
            command = OrderTopUp(
                account_id,
                request.amount.micro,
                request.amount.currency,
                request.provider,
                caller.subject,
            )
            written.append(await write_order(conn, context, command))
            return 201, {"payment_id": str(written[0])}

        kept = await answer_once(
            context.database,
            key=key,
            caller=caller,
            path=f"top-ups/{account_id}",
            body=request,
            act=write,
        )
        if written:
            await open_order(context, written[0])
        order = await show_order(context, UUID(json.loads(bytes(kept.body))["payment_id"]))
        return _replayed(kept, PaymentResponse.of(order))


def _replayed(kept: JSONResponse, view: PaymentResponse) -> JSONResponse:
    """The order as it is now, under the kept answer's status, marked if it is a repetition."""
    replayed = kept.headers.get("Idempotent-Replayed")
    headers = {"Idempotent-Replayed": replayed} if replayed else None
    return JSONResponse(view.model_dump(mode="json"), kept.status_code, headers=headers)


def _add_vouchers(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/vouchers",
        operation_id="redeem_voucher",
        dependencies=[COSTLY],
        status_code=201,
        response_model=PaymentResponse,
        responses=problem_responses(400, 404, 409, 429),
    )
    async def redeem_voucher(
        account_id: PathId, request: VoucherRequest, caller: Caller, key: IdempotencyKey
    ) -> JSONResponse:
        """Redeem a voucher: `voucher_mistyped` for digits that can be none, else
        `voucher_refused`, whatever the reason; too many of either lock for a while."""
        pin = request.pin.get_secret_value()
        async with context.database.connect() as conn:
            await own_account(conn, account_id, caller)

        async def work(conn: AsyncConnection, guards: Guards) -> JSONResponse:
            async def act() -> tuple[int, dict[str, Any]]:
                command = Redeem(account_id, pin, caller.subject)
                return _created(await redeem(conn, context, command, guards))

            return await run_once(
                conn,
                key=key,
                caller=caller,
                request_fingerprint=_pin_fingerprint(context, account_id, pin),
                action=act,
            )

        return await attempt(context, account_id=account_id, by=caller.subject, work=work)


def _pin_fingerprint(context: Context, account_id: int, pin: str) -> str:
    """Keyed, so that no hash of a PIN is kept that could be searched."""
    return lookup_key(f"vouchers/{account_id} {pin}", context.pepper).hex()


def _created(payment: Payment) -> tuple[int, dict[str, Any]]:
    return 201, PaymentResponse.of(payment).model_dump(mode="json")


def _add_collection(router: APIRouter, context: Context) -> None:
    @router.post(
        "/payments",
        operation_id="record_payment",
        status_code=201,
        response_model=PaymentResponse,
        responses={
            202: {
                "model": SuspenseResponse | MoneyRequestResponse,
                "description": "set aside, the account does not fit; or typed in by staff and more "
                "than one person may move in a day: a second person must agree",
            },
            **problem_responses(400, 409),
        },
    )
    async def record(
        request: PaymentRequest, caller: Collector, key: IdempotencyKey
    ) -> JSONResponse:
        """Record money that came by bank or through a partner. What staff types in above what one
        person may move in a day waits for another."""
        if not caller.is_staff() and request.source != "partner":
            raise Problem(403, "forbidden", "A partner records payments of source `partner`.")
        money = Money(
            request.amount.micro,
            request.amount.currency,
            request.source,
            request.reference,
            issuer_of(caller),
        )

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            command = RecordPayment(request.account_number, money, caller.subject)
            record = record_by_hand if caller.is_staff() else record_payment
            made = await record(conn, context, command)
            if isinstance(made, Payment):
                return _created(made)
            if isinstance(made, MoneyRequest):
                return 202, MoneyRequestResponse.of(made).model_dump(mode="json")
            return 202, SuspenseResponse.of(made).model_dump(mode="json")

        return await answer_once(
            context.database,
            key=key,
            caller=caller,
            path=f"payments/{money.issuer}",
            body=request,
            act=act,
        )


def _add_reading(router: APIRouter, context: Context) -> None:
    @router.get(
        "/accounts/{account_id}/payments",
        operation_id="list_payments",
        responses=problem_responses(404),
    )
    async def list_of_account(
        account_id: PathId, caller: Looker, limit: Limit = 50, cursor: Cursor = None
    ) -> Page[PaymentResponse]:
        """Payments of an account, newest first."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            await own_account(conn, account_id, caller)
            found = await list_payments(conn, account_id, before=before, limit=limit + 1)
        page, following = cut(found, limit, lambda payment: payment.payment_id)
        return Page(items=[PaymentResponse.of(one) for one in page], next_cursor=following)

    @router.get(
        "/payments/{payment_id}", operation_id="get_payment", responses=problem_responses(404)
    )
    async def get_payment(payment_id: UUID, caller: Looker) -> PaymentResponse:
        """The receipt: the payment, and apart from it what the ledger credited."""
        async with context.database.connect() as conn:
            found = await find_payment(conn, payment_id)
            await check_sees(conn, found, caller)
        return PaymentResponse.of(found)
