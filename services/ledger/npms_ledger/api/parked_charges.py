"""Charges that fit no account."""

from datetime import datetime
from typing import Any, Self
from uuid import UUID

from fastapi import APIRouter
from pydantic import BaseModel

from npms_ledger.api.paging import page_of
from npms_ledger.domain.records import ParkedCharge
from npms_ledger.handlers import look
from npms_ledger.handlers.context import Context
from npms_shared.web.pages import Cursor, Limit, Page, id_in
from npms_shared.web.principals import Operator
from npms_shared.web.problems import problem_responses


class ParkedChargeResponse(BaseModel):
    parked_charge_id: UUID
    message_id: UUID
    code: str
    installation_id: int
    account_id: int
    currency: str
    charge: dict[str, Any]
    parked_at: datetime

    @classmethod
    def of(cls, parked: ParkedCharge) -> Self:
        return cls.model_validate(parked, from_attributes=True)


def parked_charges_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/parked-charges", tags=["parked charges"])

    @router.get("", operation_id="list_parked_charges", responses=problem_responses())
    async def list_parked_charges(
        _caller: Operator, cursor: Cursor = None, limit: Limit = 50
    ) -> Page[ParkedChargeResponse]:
        """Charges that fit no account of ours, the newest first."""
        before = id_in(cursor)
        async with context.database.connect() as conn:
            found = await look.list_parked_charges(conn, before=before, limit=limit + 1)
        return page_of(
            found, limit, ParkedChargeResponse.of, key=lambda charge: charge.parked_charge_id
        )

    return router
