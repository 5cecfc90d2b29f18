"""The notifier's REST application."""

from fastapi import FastAPI

from npms_notifier.api.contacts import contacts_router
from npms_notifier.api.problems import ERRORS
from npms_notifier.api.tickets import tickets_router
from npms_notifier.handlers.context import Context
from npms_shared.web.app import create_app
from npms_shared.web.audit_trail_api import audit_trail_router
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router


def build_app(context: Context, edge: Edge) -> FastAPI:
    return create_app(
        service="notifier",
        description="Contacts and languages, deliveries by e-mail and SMS, support tickets.",
        edge=edge,
        routers=[
            contacts_router(context),
            tickets_router(context),
            audit_trail_router(context.database),
            parked_router(context.database),
            unroutable_router(context.database),
        ],
        errors=ERRORS,
    )
