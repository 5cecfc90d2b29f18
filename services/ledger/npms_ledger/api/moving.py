"""A new meter for an old one; moving out."""

from fastapi import APIRouter

from npms_ledger.api.account_schemas import AccountDetailResponse
from npms_ledger.api.moving_schemas import (
    MoveOutRequest,
    SwappedResponse,
    SwapRequest,
)
from npms_ledger.handlers import look, move_out
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.swap_meter import swap_meter
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import PathId


def moving_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1", tags=["moving"])
    _add_swap(router, context)
    _add_move_out(router, context)
    return router


def _add_swap(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/installations/{installation_id}/swap",
        operation_id="swap_meter",
        status_code=201,
        responses=problem_responses(404, 409),
    )
    async def swap(
        caller: Operator, account_id: PathId, installation_id: PathId, request: SwapRequest
    ) -> SwappedResponse:
        """Put a new meter in the place of an old one."""
        command = request.to_command(account_id, installation_id)
        async with context.database.transaction() as conn:
            new = await swap_meter(conn, command, by=caller.actor(), now=context.clock.now())
        return SwappedResponse(
            account_id=account_id, closed_installation_id=installation_id, installation_id=new
        )


def _add_move_out(router: APIRouter, context: Context) -> None:
    @router.post(
        "/accounts/{account_id}/move-out",
        operation_id="move_out",
        responses=problem_responses(404, 409),
    )
    async def leave(
        caller: Operator, account_id: PathId, request: MoveOutRequest
    ) -> AccountDetailResponse:
        """Final reading and switching off; what remains is refunded once it is billed."""
        async with context.database.transaction() as conn:
            await move_out.move_out(
                conn,
                account_id,
                registers_wh=request.registers_wh(),
                reason=request.reason,
                by=caller.actor(),
                now=context.clock.now(),
            )
            return AccountDetailResponse.of_detail(
                await look.show_account(conn, account_id, context.clock.now())
            )
