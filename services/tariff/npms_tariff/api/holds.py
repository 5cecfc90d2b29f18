"""Installations whose billing waits for a person, and their release."""

from datetime import UTC, datetime
from typing import Annotated

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, Field

from npms_shared.web.pages import Cursor, Limit, Page, cut, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import MAX_ID, Energy, FilterId, ReasonRequest
from npms_tariff.domain.records import BillingHold
from npms_tariff.handlers.context import Context
from npms_tariff.handlers.hold_billing import HoldFilter, list_holds, release_hold

HoldId = Annotated[int, Path(ge=1, le=MAX_ID, examples=[1])]
OnlyOpen = Annotated[bool, Query(description="without those released")]


class BillingHoldResponse(BaseModel):
    """A register that fell: nothing is rated until somebody has released the hold with a reason."""

    billing_hold_id: int
    installation_id: int
    account_id: int
    taken_at: datetime = Field(description="of the reading that was below the last one")
    register_value: Energy
    last_register: Energy = Field(description="the last good one; rating goes on from it")
    held_at: datetime
    released_at: datetime | None
    released_by: str | None
    reason: str | None

    @classmethod
    def of(cls, hold: BillingHold) -> "BillingHoldResponse":
        return cls(
            billing_hold_id=hold.billing_hold_id,
            installation_id=hold.installation_id,
            account_id=hold.account_id,
            taken_at=datetime.fromtimestamp(hold.taken_at_s, UTC),
            register_value=Energy.of(hold.register_wh),
            last_register=Energy.of(hold.last_wh),
            held_at=hold.held_at,
            released_at=hold.released_at,
            released_by=hold.released_by,
            reason=hold.note,
        )


def holds_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/billing-holds", tags=["billing holds"])

    @router.get("", operation_id="list_billing_holds", responses=problem_responses())
    async def list_billing_holds(
        _: Operator,
        *,
        account_id: FilterId = None,
        only_open: OnlyOpen = False,
        limit: Limit = 50,
        cursor: Cursor = None,
    ) -> Page[BillingHoldResponse]:
        """Holds and their releases, the newest first."""
        async with context.database.connect() as conn:
            rows = await list_holds(
                conn,
                HoldFilter(account_id, only_open),
                before=number_in(cursor),
                limit=limit + 1,
            )
        page, following = cut(rows, limit, lambda hold: hold.billing_hold_id)
        return Page(items=[BillingHoldResponse.of(hold) for hold in page], next_cursor=following)

    @router.post(
        "/{billing_hold_id}/release",
        operation_id="release_billing_hold",
        responses=problem_responses(404, 409),
    )
    async def release_billing_hold(
        billing_hold_id: HoldId, body: ReasonRequest, caller: Operator
    ) -> BillingHoldResponse:
        """Rating goes on from the last rated register; energy used meanwhile is caught up by the
        next reading."""
        async with context.database.transaction() as conn:
            hold = await release_hold(
                conn, context, billing_hold_id, by=caller.actor(), reason=body.reason
            )
        return BillingHoldResponse.of(hold)

    return router
