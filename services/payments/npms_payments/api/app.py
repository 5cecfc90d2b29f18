"""The REST application of payments."""

from fastapi import FastAPI

from npms_payments.api.money_requests import money_requests_router
from npms_payments.api.partners import partners_router
from npms_payments.api.payments import payments_router
from npms_payments.api.problems import ERRORS
from npms_payments.api.suspense import suspense_router
from npms_payments.api.vouchers import vouchers_router
from npms_payments.api.webhooks import webhooks_router
from npms_payments.handlers.context import Context
from npms_shared.web.app import create_app
from npms_shared.web.audit_trail_api import audit_trail_router
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router


def build_app(context: Context, edge: Edge) -> FastAPI:
    return create_app(
        service="payments",
        description="Top-ups through providers and vouchers, payments by bank and partners, "
        "suspense.",
        edge=edge,
        routers=[
            payments_router(context),
            vouchers_router(context),
            suspense_router(context),
            money_requests_router(context),
            partners_router(context),
            webhooks_router(context),
            audit_trail_router(context.database),
            parked_router(context.database),
            unroutable_router(context.database),
        ],
        errors=ERRORS,
    )
