"""The meter gateway's REST application."""

from fastapi import FastAPI

from npms_meter_gateway.api.alarms import alarms_router
from npms_meter_gateway.api.commands import commands_router
from npms_meter_gateway.api.feeders import feeders_router
from npms_meter_gateway.api.fleet import fleet_router
from npms_meter_gateway.api.held import held_router
from npms_meter_gateway.api.live import live_router
from npms_meter_gateway.api.meters import meters_router
from npms_meter_gateway.api.problems import ERRORS
from npms_meter_gateway.api.ratios import ratios_router
from npms_meter_gateway.api.reading_imports import reading_imports_router
from npms_meter_gateway.api.reading_now import reading_now_router
from npms_meter_gateway.api.readings import readings_router
from npms_meter_gateway.api.serials import serials_router
from npms_meter_gateway.api.switching import switching_router
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.watch_meters import MeterWatch
from npms_shared.messaging.parked import Reappliers
from npms_shared.web.app import create_app
from npms_shared.web.audit_trail_api import audit_trail_router
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router


def build_app(
    context: Context, recorder: ReadingRecorder, reappliers: Reappliers, edge: Edge
) -> FastAPI:
    return create_app(
        service="meter-gateway",
        description="Reads meters over Modbus, takes readings sent to it, and works relays toward "
        "the state the ledger desires.",
        edge=edge,
        routers=[
            readings_router(recorder),
            reading_imports_router(recorder),
            held_router(context),
            feeders_router(context),
            ratios_router(context),
            meters_router(context),
            live_router(context, MeterWatch(context)),
            fleet_router(context),
            alarms_router(context),
            serials_router(context),
            commands_router(context),
            switching_router(context),
            reading_now_router(context),
            audit_trail_router(context.database),
            parked_router(context.database, reappliers),
            unroutable_router(context.database),
        ],
        errors=ERRORS,
    )
