"""The tariff service's REST application."""

from fastapi import FastAPI

from npms_shared.clock import Clock
from npms_shared.db.engine import Database
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


def build_app(database: Database, clock: Clock, edge: Edge) -> FastAPI:
    return create_app(
        service="tariff",
        description="Tariff plans and their versions; what accounts used and what it cost.",
        edge=edge,
        routers=[
            plans_router(database, clock),
            plan_usage_router(database),
            usage_router(database),
            why_router(database),
            holds_router(database, clock),
            corrections_router(database, clock),
            exports_router(database, clock),
            quotes_router(database, clock),
            simulations_router(database, clock),
            plan_schema_router(),
            insights_router(database, clock),
            audit_trail_router(database),
            parked_router(database),
            unroutable_router(database),
        ],
        errors=ERRORS,
    )
