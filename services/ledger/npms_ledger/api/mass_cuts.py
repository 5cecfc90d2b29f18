"""Cuts that the guardrail held, for a person to approve or reject."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncConnection

from npms_ledger.api.deciding import Decidable, add_deciding
from npms_ledger.api.paging import page_of
from npms_ledger.handlers import mass_cuts
from npms_ledger.handlers.context import Context
from npms_shared.actor import Actor
from npms_shared.db import audit_trail
from npms_shared.web.pages import Cursor, Limit, Page, id_in, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Money


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
    _add_listing(router, context)
    add_deciding(router, context, _mass_cut(context))
    _add_accounts(router, context)
    return router


def _add_listing(router: APIRouter, context: Context) -> None:
    @router.get("", operation_id="list_mass_cuts", responses=problem_responses())
    async def list_mass_cuts(
        _caller: Operator, state: State = None, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[MassCutResponse]:
        """Held lists, the newest first."""
        async with context.database.connect() as conn:
            rows = await mass_cuts.list_mass_cuts(
                conn, before=id_in(cursor), limit=limit + 1, state=state
            )
        return page_of(rows, limit, MassCutResponse.of, key=lambda row: row.mass_cut_id)


def _add_accounts(router: APIRouter, context: Context) -> None:
    @router.get(
        "/{mass_cut_id}/accounts", operation_id="list_held_cuts", responses=problem_responses(404)
    )
    async def list_held_cuts(
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
        return page_of(rows, limit, HeldCutResponse.of, key=lambda row: row.account_id)


def _mass_cut(context: Context) -> Decidable[Row[Any]]:
    guardrail = context.guardrail

    async def approve(
        conn: AsyncConnection,
        mass_cut_id: UUID,
        *,
        by: Actor,
        seen: str,
        reason: str,
        now: datetime,
    ) -> Row[Any]:
        row = await mass_cuts.approve(
            conn,
            mass_cut_id,
            guardrail=guardrail,
            reason=reason,
            now=now,
            by=by.subject,
            seen=seen,
        )
        await _note(conn, by, row, now)
        return row

    async def reject(
        conn: AsyncConnection, mass_cut_id: UUID, *, by: Actor, reason: str, now: datetime
    ) -> Row[Any]:
        row = await mass_cuts.reject(
            conn, mass_cut_id, guardrail=guardrail, reason=reason, now=now, by=by.subject
        )
        await _note(conn, by, row, now)
        return row

    return Decidable(
        name="mass_cut",
        key="mass_cut_id",
        response=MassCutResponse,
        find=mass_cuts.show_mass_cut,
        reviewed=mass_cuts.reviewed_of,
        approve=approve,
        approving="Decide each account of the list again, and let the cuts pass. Whoever wrote or "
        "approved the policy that causes them may not approve; 412 where accounts have joined "
        "since.",
        reject=reject,
        rejecting="Cut nobody of the list until `held_until`; then each is decided afresh.",
    )


async def _note(conn: AsyncConnection, by: Actor, row: Row[Any], now: datetime) -> None:
    await audit_trail.note(
        conn,
        by,
        f"mass_cut_{row.state}",
        subject=f"mass_cut:{row.mass_cut_id}",
        now=now,
        reason=row.reason,
        after={"accounts": row.on_list},
    )
