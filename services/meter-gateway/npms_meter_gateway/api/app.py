"""The meter gateway's REST application."""

from collections.abc import Mapping

from fastapi import FastAPI

from npms_meter_gateway.api.alarms import alarms_router
from npms_meter_gateway.api.commands import commands_router
from npms_meter_gateway.api.feeders import feeders_router
from npms_meter_gateway.api.fleet import fleet_router
from npms_meter_gateway.api.held import held_router
from npms_meter_gateway.api.live import live_router
from npms_meter_gateway.api.meters import meter_of, meters_router
from npms_meter_gateway.api.problems import ERRORS
from npms_meter_gateway.api.ratios import ratios_router
from npms_meter_gateway.api.reading_imports import reading_imports_router
from npms_meter_gateway.api.reading_now import reading_now_router
from npms_meter_gateway.api.readings import readings_router
from npms_meter_gateway.api.serials import serials_router
from npms_meter_gateway.api.switching import switching_router
from npms_meter_gateway.domain.profile import Profile
from npms_meter_gateway.handlers.change_ratio import RatioDesk
from npms_meter_gateway.handlers.check_feeders import FeederBook
from npms_meter_gateway.handlers.decide_held import HeldDesk
from npms_meter_gateway.handlers.decide_supply import SupplyDesk
from npms_meter_gateway.handlers.guard_openings import OpeningGuard
from npms_meter_gateway.handlers.read_meter import ReadDesk
from npms_meter_gateway.handlers.show_alarms import AlarmView
from npms_meter_gateway.handlers.show_fleet import FleetView
from npms_meter_gateway.handlers.take_readings import ReadingDesk
from npms_meter_gateway.handlers.watch_meters import MeterWatch
from npms_meter_gateway.handlers.watch_serial import SerialDesk
from npms_shared.db.engine import Database
from npms_shared.messaging.parked import Reappliers
from npms_shared.web.app import create_app
from npms_shared.web.audit_trail_api import audit_trail_router
from npms_shared.web.edge import Edge
from npms_shared.web.parked_api import parked_router
from npms_shared.web.unroutable_api import unroutable_router


def build_app(
    database: Database,
    profiles: Mapping[str, Profile],
    desk: ReadingDesk,
    held: HeldDesk,
    ratios: RatioDesk,
    feeders: FeederBook,
    serials: SerialDesk,
    supplies: SupplyDesk,
    openings: OpeningGuard,
    fleet: FleetView,
    reappliers: Reappliers,
    edge: Edge,
) -> FastAPI:
    return create_app(
        service="meter-gateway",
        description="Reads meters over Modbus, takes readings sent to it, and works relays toward "
        "the state the ledger desires.",
        edge=edge,
        routers=[
            readings_router(desk),
            reading_imports_router(desk),
            held_router(database, held),
            feeders_router(feeders),
            ratios_router(database, ratios, interval_s=fleet.interval_s),
            meters_router(database, profiles, fleet),
            live_router(database, MeterWatch(database), meter_of),
            fleet_router(fleet),
            alarms_router(AlarmView(database)),
            serials_router(AlarmView(database), serials),
            commands_router(database),
            switching_router(supplies, openings),
            reading_now_router(ReadDesk(database)),
            audit_trail_router(database),
            parked_router(database, reappliers),
            unroutable_router(database),
        ],
        errors=ERRORS,
    )
