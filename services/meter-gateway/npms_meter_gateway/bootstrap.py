"""From settings to the meter gateway."""

import asyncio
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

from npms_meter_gateway.api.app import build_app
from npms_meter_gateway.consumers import subscriptions
from npms_meter_gateway.domain.breaker import BreakerPolicy
from npms_meter_gateway.domain.broker import broker_of
from npms_meter_gateway.domain.meter_clock import ClockPolicy
from npms_meter_gateway.domain.pacing import Pace
from npms_meter_gateway.domain.profile import Profile, ProfileError
from npms_meter_gateway.domain.reconciling import OpeningCap, SwitchingPolicy
from npms_meter_gateway.domain.schedule import Cadence
from npms_meter_gateway.drivers.dlt645.access import Access
from npms_meter_gateway.drivers.factory import Drivers
from npms_meter_gateway.handlers.change_ratio import RatioDesk
from npms_meter_gateway.handlers.check_feeders import FeederBook, keep_checking
from npms_meter_gateway.handlers.decide_held import HeldDesk
from npms_meter_gateway.handlers.decide_supply import SupplyDesk
from npms_meter_gateway.handlers.guard_openings import OpeningGuard
from npms_meter_gateway.handlers.measure_fleet import fleet_gauges
from npms_meter_gateway.handlers.publish_profiles import publish_profiles
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.show_fleet import FleetView
from npms_meter_gateway.handlers.take_messages import SOURCE, MessageDesk
from npms_meter_gateway.handlers.take_readings import ReadingDesk
from npms_meter_gateway.handlers.tell_again import facts
from npms_meter_gateway.handlers.tend_held import keep_tending
from npms_meter_gateway.handlers.watch_serial import SerialDesk
from npms_meter_gateway.intake.mqtt import MqttIntake
from npms_meter_gateway.intake.replays import again
from npms_meter_gateway.invariants import RULES
from npms_meter_gateway.polling.operation import Operation
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.db.engine import Database
from npms_shared.loops import Loop
from npms_shared.runtime import Service

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: MeterGatewaySettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given."""
    clock = clock or clock_from_environment()
    database = open_database(settings, service="meter-gateway")
    profiles = _profiles(settings.profiles_path)
    recorder = _recorder(settings, database, profiles, clock)
    desk = ReadingDesk(database, recorder, settings.sent_for_polled)
    held = HeldDesk(database, profiles, clock, future_tolerance_s=settings.future_tolerance_s)
    ratios = RatioDesk(database, profiles, clock, future_tolerance_s=settings.future_tolerance_s)
    feeders = FeederBook(database, clock)
    fleet = FleetView(database, clock, settings.poll_interval_s, settings.allowed)
    messages = MessageDesk(database, desk, clock)
    reappliers = {SOURCE: again(messages, settings.mqtt_topic_prefix)}
    tending = partial(keep_tending, database, clock, kept_days=settings.held_kept_days)
    loops: list[Loop] = [_announcement(database, profiles), fleet_gauges(fleet), tending]
    loops.append(partial(keep_checking, feeders))
    if settings.mqtt_url:
        loops.append(_intake(settings, database, messages).run)
    if settings.poll:
        loops.append(_operation(settings, database, clock, profiles, recorder).run)
    return Service(
        name="meter-gateway",
        settings=settings,
        database=database,
        app=build_app(
            database,
            profiles,
            desk,
            held,
            ratios,
            feeders,
            SerialDesk(database, clock),
            SupplyDesk(database, clock),
            OpeningGuard(database, clock, _cap(settings)),
            fleet,
            reappliers,
            make_edge(settings),
        ),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(
            profiles, clock, partitions=settings.partitions, allowed=settings.allowed
        ),
        loops=loops,
        rules=RULES,
        facts=facts,
        reappliers=reappliers,
    )


def _intake(
    settings: MeterGatewaySettings, database: Database, messages: MessageDesk
) -> MqttIntake:
    return MqttIntake(
        database=database,
        desk=messages,
        broker=broker_of(settings.mqtt_url),
        password=settings.mqtt_password.get_secret_value(),
        client_id=settings.mqtt_client_id,
        prefix=settings.mqtt_topic_prefix,
    )


def reading_desk(settings: MeterGatewaySettings, database: Database) -> ReadingDesk:
    """Where a command hands in readings, beside a service that runs."""
    profiles = _profiles(settings.profiles_path)
    recorder = _recorder(settings, database, profiles, clock_from_environment())
    return ReadingDesk(database, recorder, settings.sent_for_polled)


def _recorder(
    settings: MeterGatewaySettings,
    database: Database,
    profiles: Mapping[str, Profile],
    clock: Clock,
) -> ReadingRecorder:
    return ReadingRecorder(
        database, profiles, clock, future_tolerance_s=settings.future_tolerance_s
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


def _dlt645_access(settings: MeterGatewaySettings) -> Access:
    return Access(
        password=bytes.fromhex(settings.dlt645_password.get_secret_value()),
        operator=bytes.fromhex(settings.dlt645_operator.get_secret_value()),
        zone=ZoneInfo(settings.meter_clock_zone),
    )


def _cap(settings: MeterGatewaySettings) -> OpeningCap:
    return OpeningCap(settings.supply_open_cap, settings.supply_open_window_s)


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
        cadence=Cadence(
            billing_s=settings.poll_interval_s / clock.speed,
            fast_s=settings.fast_interval_s / clock.speed,
            slow_s=settings.slow_interval_s / clock.speed,
        ),
        units=BreakerPolicy(
            first_pause_s=settings.unit_first_pause_s,
            longest_pause_s=settings.unit_longest_pause_s,
        ),
        switching=SwitchingPolicy(
            alarm_after=settings.relay_alarm_after,
            first_pause_s=settings.relay_first_pause_s,
            longest_pause_s=settings.relay_longest_pause_s,
            moved=settings.relay_moved,
            cap=_cap(settings),
        ),
        pace=Pace(settings.reconnect_per_minute_and_place, settings.reconnect_per_minute),
        concurrency=settings.relay_concurrency,
        connects_per_s=settings.connects_per_s,
        lease_s=settings.lease_s,
        clocks=ClockPolicy(ZoneInfo(settings.meter_clock_zone), settings.meter_clock_limit_s),
        drivers=Drivers(dlt645=_dlt645_access(settings)),
        allowed=settings.allowed,
    )
