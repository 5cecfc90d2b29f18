"""From settings to a service: the one place where its parts meet."""

import asyncio
import sys
from collections.abc import Mapping
from pathlib import Path

from npms_meter_gateway.api.meters import meters_router
from npms_meter_gateway.api.readings import readings_router
from npms_meter_gateway.consumers import subscriptions
from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.profile import Profile, ProfileError
from npms_meter_gateway.domain.reconciling import SwitchingPolicy
from npms_meter_gateway.handlers.publish_profiles import publish_profiles
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.invariants import RULES
from npms_meter_gateway.polling.operation import Operation
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.auth.tokens import TokenVerifier
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.loops import Loop
from npms_shared.runtime import Service
from npms_shared.web.app import create_app
from npms_shared.web.parked_api import parked_router

DESCRIPTION = """Reads meters over Modbus, takes readings sent to it, and works relays toward the
state the ledger desires."""


def build(settings: MeterGatewaySettings) -> Service:
    database = Database(
        settings.database_url.get_secret_value(),
        application="npms-meter-gateway",
        pool_size=settings.database_pool_size,
    )
    clock = clock_from_environment()
    profiles = _profiles(settings.profiles_path)
    recorder = ReadingRecorder(
        database, profiles, clock, future_tolerance_s=settings.future_tolerance_s
    )
    loops = [_announcement(database, profiles)]
    if settings.poll:
        loops.append(_operation(settings, database, clock, profiles, recorder).run)
    app = create_app(
        service="meter-gateway",
        description=DESCRIPTION,
        verifier=TokenVerifier(
            jwks_path=settings.jwks_path,
            issuer=settings.token_issuer,
            audience=settings.token_audience,
        ),
        routers=[
            readings_router(database, recorder),
            meters_router(database, profiles),
            parked_router(database),
        ],
    )
    return Service(
        name="meter-gateway",
        settings=settings,
        database=database,
        app=app,
        migrations=Path(__file__).parent / "migrations",
        subscriptions=subscriptions(profiles, clock, partitions=settings.partitions),
        loops=loops,
        rules=RULES,
    )


def _profiles(extra: Path | None) -> dict[str, Profile]:
    """A profile that cannot be used stops the start, named with its place."""
    try:
        return load_profiles(extra)
    except ProfileError as fault:
        for line in fault.faults:
            print(f"profile {fault.code}: {line}", file=sys.stderr)
        raise SystemExit(2) from None


def _announcement(database: Database, profiles: Mapping[str, Profile]) -> Loop:
    async def announce(stopping: asyncio.Event) -> None:
        await publish_profiles(database, profiles.values())
        await stopping.wait()

    return announce


def _operation(
    settings: MeterGatewaySettings,
    database: Database,
    clock: Clock,
    profiles: Mapping[str, Profile],
    recorder: ReadingRecorder,
) -> Operation:
    return Operation(
        database=database,
        clock=clock,
        profiles=profiles,
        recorder=recorder,
        interval_s=settings.poll_interval_s / clock.speed,
        units=BreakerPolicy(
            first_pause_s=settings.unit_first_pause_s,
            longest_pause_s=settings.unit_longest_pause_s,
        ),
        switching=SwitchingPolicy(
            alarm_after=settings.relay_alarm_after,
            first_pause_s=settings.relay_first_pause_s,
            longest_pause_s=settings.relay_longest_pause_s,
        ),
        concurrency=settings.relay_concurrency,
    )
