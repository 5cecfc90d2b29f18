"""What remains of an account whose customer left, on its way back."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Path, Query, Response
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.paging import page_of
from npms_ledger.handlers import move_out
from npms_ledger.handlers.context import Context
from npms_shared.web.idempotency import IdempotencyKey, answer_once
from npms_shared.web.pages import Cursor, Limit, Page, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import Line, Money, PathId, Schema


class RefundRequest(Schema):
    payee: Line = Field(description="to whom and where", examples=["A. Otieno, +254700000001"])
    reason: Line = Field(examples=["Moved out."])


class PayRefundRequest(Schema):
    reference: Line = Field(examples=["FT26045XYZ"])


class RefundResponse(BaseModel):
    """What remained of an account, on its way back to its customer."""

    refund_id: UUID
    account_id: int
    amount: Money
    payee: str
    reason: str
    state: Literal["payable", "paid"]
    requested_by: str
    requested_at: datetime
    reference: str | None
    paid_by: str | None
    paid_at: datetime | None

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        amount = Money.of(row.amount_micro, row.currency)
        return cls.model_validate({**row._mapping, "amount": amount})


RefundId = Annotated[UUID, Path(examples=["018f0000-0000-7000-8000-000000000001"])]
State = Annotated[Literal["payable", "paid"] | None, Query()]


def refunds_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["moving"])
    _add_refunds(router, context)
    _add_paying(router, context)
    return router


def _add_refunds(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/refund",
        operation_id="request_refund",
        status_code=201,
        response_model=RefundResponse,
        responses=problem_responses(400, 404, 409),
    )
    async def request_refund(
        caller: Operator, key: IdempotencyKey, account_id: PathId, request: RefundRequest
    ) -> JSONResponse:
        """Make what remains payable, once, and close the account at zero."""

        async def act(conn: AsyncConnection) -> tuple[int, dict[str, Any]]:
            row = await move_out.request_refund(
                conn,
                account_id,
                payee=request.payee,
                reason=request.reason,
                by=caller.actor(),
                now=context.clock.now(),
            )
            return 201, RefundResponse.of(row).model_dump(mode="json")

        return await answer_once(
            context.database,
            key=key,
            caller=caller,
            path=f"/accounts/{account_id}/refund",
            body=request,
            act=act,
        )

    @router.get("/refunds", operation_id="list_refunds", responses=problem_responses())
    async def list_refunds(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50, state: State = None
    ) -> Page[RefundResponse]:
        """The newest first; `state=payable` are those to be paid."""
        after = id_in(cursor)
        async with context.database.connect() as conn:
            rows = await move_out.list_refunds(conn, after=after, limit=limit + 1, state=state)
        return page_of(rows, limit, RefundResponse.of, key=lambda row: row.refund_id)

    @router.get("/refunds/{refund_id}", operation_id="get_refund", responses=problem_responses(404))
    async def get_refund(
        _caller: Operator, response: Response, refund_id: RefundId
    ) -> RefundResponse:
        """With the ETag that paying asks for."""
        async with context.database.connect() as conn:
            row = await move_out.show_refund(conn, refund_id)
        show_etag(response, row._mapping)
        return RefundResponse.of(row)


def _add_paying(router: APIRouter, context: Context) -> None:
    @router.post(
        "/refunds/{refund_id}/pay",
        operation_id="pay_refund",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def pay_refund(
        caller: Operator, seen: Seen, refund_id: RefundId, request: PayRefundRequest
    ) -> RefundResponse:
        """Say that it was paid out, and how: another person than who asked for it."""
        async with context.database.transaction() as conn:
            row = await move_out.pay_refund(
                conn,
                refund_id,
                reference=request.reference,
                by=caller.actor(),
                seen=seen,
                now=context.clock.now(),
            )
        return RefundResponse.of(row)
