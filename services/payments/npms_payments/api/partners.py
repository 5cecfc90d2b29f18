"""What partners may sell in a day."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from npms_payments.api.access import Admin, Collector
from npms_payments.api.schemas import (
    PartnerDayResponse,
    PartnerLimitRequest,
)
from npms_payments.handlers.context import Context
from npms_payments.handlers.partners import set_limit, show_day
from npms_shared.web.problems import not_found, problem_responses
from npms_shared.web.schemas import Currency

PartnerId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$", examples=["corner-shop"])
]


def partners_router(context: Context) -> APIRouter:
    router = APIRouter(prefix="/v1/partners", tags=["partners"])

    @router.get(
        "/{partner_id}/limit", operation_id="get_partner_limit", responses=problem_responses(404)
    )
    async def get_limit(
        partner_id: PartnerId, caller: Collector, currency: Annotated[Currency, Query()]
    ) -> PartnerDayResponse:
        """What a partner may sell today, has sold, and what is left; partners see their own."""
        if not caller.is_staff() and caller.partner_id != partner_id:
            raise not_found("partner")
        async with context.database.connect() as conn:
            day = await show_day(conn, context, partner_id, currency)
        return PartnerDayResponse.of(partner_id, currency, day)

    @router.put(
        "/{partner_id}/limit", operation_id="set_partner_limit", responses=problem_responses(400)
    )
    async def put_limit(
        partner_id: PartnerId, request: PartnerLimitRequest, caller: Admin
    ) -> PartnerDayResponse:
        """Another limit than the default one, from now on; zero stops a partner's sales."""
        currency = request.day_limit.currency
        async with context.database.transaction() as conn:
            day = await set_limit(
                conn,
                context,
                partner_id,
                currency=currency,
                day_limit_micro=request.day_limit.micro,
                reason=request.reason,
                by=caller.subject,
            )
        return PartnerDayResponse.of(partner_id, currency, day)

    return router
