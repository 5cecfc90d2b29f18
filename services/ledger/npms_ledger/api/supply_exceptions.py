"""Supplies that are not proven to be as desired, for people to look after."""

from datetime import datetime
from typing import Annotated, Any, Literal, Self

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.api.paging import page_of
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.supply_exceptions import Why, list_exceptions, why
from npms_shared.web.pages import Cursor, Limit, Page, number_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import Money


class SupplyExceptionResponse(BaseModel):
    """A cut that is not proven, with what was charged since; or a reconnection that is due."""

    installation_id: int
    account_id: int
    desired: Literal["on", "off"]
    revision: int
    reason: str = Field(description="for which it is desired so", examples=["exhausted"])
    since: datetime = Field(description="when that was decided")
    reported: Literal["on", "off", "unknown"] | None
    verified: bool | None
    observed_at: datetime | None
    why: Why = Field(
        description="what keeps it so: a meter without a relay, another meter that answers, "
        "one that sends its readings and is not reached, "
        "somebody who moved the relay by hand, the gateway's own cap, a line that is down, a "
        "button the customer has to press, a relay that does not follow or is not believed, or no "
        "word yet"
    )
    detail: str | None
    exposure: Money = Field(description="of a cut: charged for use after it was desired")
    paid_at: datetime | None = Field(description="of a reconnection: since when it is waited for")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        return cls(
            installation_id=row.installation_id,
            account_id=row.account_id,
            desired=row.desired,
            revision=row.revision,
            reason=row.reason,
            since=row.since,
            reported=row.reported_state,
            verified=row.verified,
            observed_at=row.observed_at,
            why=why(row),
            detail=row.detail,
            exposure=Money.of(row.exposure_micro, row.currency),
            paid_at=row.settled_at,
        )


Desired = Annotated[Literal["on", "off"] | None, Query(description="only these")]
OlderThan = Annotated[
    int, Query(ge=0, le=10**8, description="business seconds that a supply has to follow")
]


def supply_exceptions_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/supply-exceptions", tags=["supply exceptions"])

    @router.get("", operation_id="list_supply_exceptions", responses=problem_responses())
    async def list_supply_exceptions(
        _caller: Operator,
        desired: Desired = None,
        older_than_s: OlderThan = 60,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[SupplyExceptionResponse]:
        """In the order of their installations."""
        async with context.database.connect() as conn:
            rows = await list_exceptions(
                conn,
                now=context.clock.now(),
                older_than_s=older_than_s,
                desired=desired,
                after=number_in(cursor) or 0,
                limit=limit + 1,
            )
        return page_of(rows, limit, SupplyExceptionResponse.of, key=lambda row: row.installation_id)

    return router
