"""Cuts that the guardrail held, for a person to approve or reject."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.handlers import mass_cuts
from npms_ledger.handlers.context import Context
from npms_shared.auth.tokens import Principal
from npms_shared.db import audit_trail
from npms_shared.web.pages import Cursor, Limit, Page, cut, id_in, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.reviews import Seen, show_etag
from npms_shared.web.schemas import Money, ReasonRequest


class MassCutResponse(BaseModel):
    """Cuts that the guardrail held; `on_list` of the `held` accounts are on it still."""

    mass_cut_id: UUID
    state: Literal["waiting", "approved", "rejected", "lapsed"]
    credit_policy: str | None = Field(description="null: all accounts together were too many")
    ground: str = Field(examples=["200 cuts within 60 minutes are more than 10 % of …"])
    held: int
    on_list: int
    opened_at: datetime
    decided_at: datetime | None
    decided_by: str | None
    reason: str | None
    held_until: datetime | None = Field(description="rejected: until when nobody of it is cut")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls.model_validate({**row._mapping, "credit_policy": row.policy_code})


class HeldCutResponse(BaseModel):
    """An account that would have been cut: by which policy, at which balance, what avoids it."""

    account_id: int
    credit_policy: str
    credit_policy_version: int
    balance: Money
    floor: Money
    amount_to_clear: Money
    held_at: datetime
    balance_now: Money
    reason_now: str
    left_at: datetime | None
    left_as: str | None = Field(
        description="the reason of its supply when it left the list", examples=["in_credit"]
    )

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            account_id=row.account_id,
            credit_policy=row.policy_code,
            credit_policy_version=row.policy_version,
            balance=Money.of(row.balance_micro, row.currency),
            floor=Money.of(row.floor_micro, row.currency),
            amount_to_clear=Money.of(row.amount_to_clear_micro, row.currency),
            held_at=row.held_at,
            balance_now=Money.of(row.balance_now_micro, row.currency),
            reason_now=row.reason,
            left_at=row.left_at,
            left_as=row.left_as,
        )


State = Annotated[
    Literal["waiting", "approved", "rejected", "lapsed"] | None, Query(description="only these")
]


OnList = Annotated[bool, Query(description="false: also those that have left the list")]


def mass_cuts_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/mass-cuts", tags=["mass cuts"])
    _add_looking(router, context)
    _add_accounts(router, context)
    _add_deciding(router, context)
    return router


def _add_looking(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_mass_cuts", responses=problem_responses())
    async def list_(
        _caller: Operator, state: State = None, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[MassCutResponse]:
        """Held lists, the newest first."""
        async with context.database.connect() as conn:
            rows = await mass_cuts.list_mass_cuts(
                conn, before=id_in(cursor), limit=limit + 1, state=state
            )
        page, following = cut(rows, limit, lambda row: row.mass_cut_id)
        return Page(items=[MassCutResponse.of(row) for row in page], next_cursor=following)

    @router.get("/{mass_cut_id}", operation_id="get_mass_cut", responses=problem_responses(404))
    async def show(_caller: Operator, response: Response, mass_cut_id: UUID) -> MassCutResponse:
        """One held list: its state and why it was held; with the ETag that approving asks for."""
        async with context.database.connect() as conn:
            row = await mass_cuts.show_mass_cut(conn, mass_cut_id)
        show_etag(response, mass_cuts.reviewed_of(row))
        return MassCutResponse.of(row)


def _add_accounts(router: APIRouter, context: Context) -> None:
    @router.get(
        "/{mass_cut_id}/accounts", operation_id="list_held_cuts", responses=problem_responses(404)
    )
    async def accounts(
        _caller: Operator,
        mass_cut_id: UUID,
        on_list: OnList = True,  # noqa: FBT002 - a filter of the list
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[HeldCutResponse]:
        """Who would be cut, why, and what amount avoids it; by account."""
        async with context.database.connect() as conn:
            await mass_cuts.show_mass_cut(conn, mass_cut_id)
            rows = await mass_cuts.list_held(
                conn, mass_cut_id, after=number_in(cursor) or 0, limit=limit + 1, on_list=on_list
            )
        page, following = cut(rows, limit, lambda row: row.account_id)
        return Page(items=[HeldCutResponse.of(row) for row in page], next_cursor=following)


def _add_deciding(router: APIRouter, context: Context) -> None:
    @router.post(
        "/{mass_cut_id}/approve",
        operation_id="approve_mass_cut",
        responses=problem_responses(404, 409, 412, 428),
    )
    async def approve(
        caller: Operator, seen: Seen, mass_cut_id: UUID, request: ReasonRequest
    ) -> MassCutResponse:
        """Decide each account of the list again, and let the cuts pass. Whoever wrote or approved
        the policy that causes them may not approve; 412 where accounts have joined since.
        """
        async with context.database.transaction() as conn:
            now = context.clock.now()
            row = await mass_cuts.approve(
                conn,
                mass_cut_id,
                guardrail=context.guardrail,
                reason=request.reason,
                now=now,
                by=caller.subject,
                seen=seen,
            )
            await _note(conn, caller, row, now)
        return MassCutResponse.of(row)

    @router.post(
        "/{mass_cut_id}/reject",
        operation_id="reject_mass_cut",
        responses=problem_responses(404, 409),
    )
    async def reject(
        caller: Operator, mass_cut_id: UUID, request: ReasonRequest
    ) -> MassCutResponse:
        """Cut nobody of the list until `held_until`; then each is decided afresh."""
        async with context.database.transaction() as conn:
            now = context.clock.now()
            row = await mass_cuts.reject(
                conn,
                mass_cut_id,
                guardrail=context.guardrail,
                reason=request.reason,
                now=now,
                by=caller.subject,
            )
            await _note(conn, caller, row, now)
        return MassCutResponse.of(row)


async def _note(conn: AsyncConnection, caller: Principal, row: Row[Any], now: datetime) -> None:
    await audit_trail.note(
        conn,
        caller.actor(),
        f"mass_cut_{row.state}",
        subject=f"mass_cut:{row.mass_cut_id}",
        now=now,
        reason=row.reason,
        after={"accounts": row.on_list},
    )
