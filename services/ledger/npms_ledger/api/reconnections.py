"""How long it took from a payment to a closed relay."""

from datetime import datetime
from typing import Annotated, Any, Self
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field
from sqlalchemy import Row

from npms_ledger.api.paging import page_of
from npms_ledger.handlers.context import Context
from npms_ledger.handlers.reconnections import list_reconnections
from npms_shared.web.pages import Cursor, Limit, Page, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses
from npms_shared.web.schemas import FilterId


class ReconnectionResponse(BaseModel):
    """From the payment that ended a cut to the relay read back closed."""

    reconnection_id: UUID
    account_id: int
    installation_id: int
    revision: int
    payment_id: UUID | None
    settled_at: datetime
    heard_at: datetime
    credited_at: datetime
    desired_at: datetime
    verified_at: datetime | None
    superseded_at: datetime | None = Field(description="cut again before it was seen closed")
    took_s: float | None = Field(description="from settled to verified; null while open")
    breached: bool = Field(description="took, or takes, longer than the limit")

    @classmethod
    def of(cls, row: Row[Any]) -> Self:
        took = row.verified_at - row.settled_at if row.verified_at else None
        return cls.model_validate(
            {**row._mapping, "took_s": took.total_seconds() if took else None}
        )


Breached = Annotated[bool | None, Query(description="only those beyond the limit, or within it")]


def reconnections_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/reconnections", tags=["reconnections"])

    @router.get("", operation_id="list_reconnections", responses=problem_responses())
    async def list_newest(
        _caller: Operator,
        breached: Breached = None,
        account_id: FilterId = None,
        cursor: Cursor = None,
        limit: Limit = 50,
    ) -> Page[ReconnectionResponse]:
        """From payment to closed relay, the newest first; open ones count until now."""
        async with context.database.connect() as conn:
            rows = await list_reconnections(
                conn,
                before=id_in(cursor),
                limit=limit + 1,
                limit_s=context.reconnect_limit_s,
                now=context.clock.now(),
                breached=breached,
                account_id=account_id,
            )
        return page_of(rows, limit, ReconnectionResponse.of, key=lambda row: row.reconnection_id)

    return router
