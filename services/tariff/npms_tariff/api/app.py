"""The tariff service's REST application."""

from fastapi import FastAPI

from npms_shared.web.app import create_app
from npms_shared.web.audit_trail_api import audit_trail_router
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router
from npms_tariff.api.corrections import corrections_router
from npms_tariff.api.exports import exports_router
from npms_tariff.api.holds import holds_router
from npms_tariff.api.insights import insights_router
from npms_tariff.api.plan_schema import plan_schema_router
from npms_tariff.api.plan_usage import plan_usage_router
from npms_tariff.api.plans import plans_router
from npms_tariff.api.problems import ERRORS
from npms_tariff.api.quotes import quotes_router
from npms_tariff.api.simulations import simulations_router
from npms_tariff.api.usage import usage_router
from npms_tariff.api.why import why_router
from npms_tariff.handlers.context import Context


def build_app(context: Context, edge: Edge) -> FastAPI:
    return create_app(
        service="tariff",
        description="Tariff plans and their versions; what accounts used and what it cost.",
        edge=edge,
        routers=[
            plans_router(context),
            plan_usage_router(context),
            usage_router(context),
            why_router(context),
            holds_router(context),
            corrections_router(context),
            exports_router(context),
            quotes_router(context),
            simulations_router(context),
            plan_schema_router(),
            insights_router(context),
            audit_trail_router(context.database),
            parked_router(context.database),
            unroutable_router(context.database),
        ],
        errors=ERRORS,
    )
