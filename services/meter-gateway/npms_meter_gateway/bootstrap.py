"""From settings to the meter gateway."""

import sys
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
from npms_meter_gateway.handlers.context import Context
from npms_meter_gateway.handlers.record_readings import ReadingRecorder
from npms_meter_gateway.handlers.take_messages import SOURCE
from npms_meter_gateway.handlers.tell_again import facts
from npms_meter_gateway.intake.mqtt import MqttIntake
from npms_meter_gateway.intake.replays import again
from npms_meter_gateway.invariants import RULES
from npms_meter_gateway.loops import loops
from npms_meter_gateway.polling.operation import Operation
from npms_meter_gateway.profiles import load_profiles
from npms_meter_gateway.settings import MeterGatewaySettings
from npms_shared.bootstrap import make_edge, open_database
from npms_shared.clock import Clock, clock_from_environment
from npms_shared.runtime import Service

MIGRATIONS = Path(__file__).parent / "migrations"


def build(settings: MeterGatewaySettings, *, clock: Clock | None = None) -> Service:
    """The clock is the environment's unless given."""
    context = make_context(settings, clock or clock_from_environment())
    recorder = ReadingRecorder(context)
    reappliers = {SOURCE: again(recorder, settings.mqtt_topic_prefix)}
    background = loops(context)
    if settings.mqtt_url:
        background.append(_intake(settings, recorder).run)
    if settings.poll:
        background.append(_operation(settings, context, recorder).run)
    return Service(
        name="meter-gateway",
        settings=settings,
        database=context.database,
        app=build_app(context, recorder, reappliers, make_edge(settings)),
        migrations=MIGRATIONS,
        subscriptions=subscriptions(context),
        loops=background,
        rules=RULES,
        facts=facts,
        reappliers=reappliers,
    )


def make_context(settings: MeterGatewaySettings, clock: Clock) -> Context:
    """Its database is the caller's to close."""
    return Context(
        database=open_database(settings, service="meter-gateway"),
        clock=clock,
        profiles=_profiles(settings.profiles_path),
        partitions=settings.partitions,
        poll_interval_s=settings.poll_interval_s,
        future_tolerance_s=settings.future_tolerance_s,
        held_kept_days=settings.held_kept_days,
        sent_for_polled=settings.sent_for_polled,
        switching=_switching(settings),
        clocks=ClockPolicy(ZoneInfo(settings.meter_clock_zone), settings.meter_clock_limit_s),
        allowed=settings.allowed,
    )


def _switching(settings: MeterGatewaySettings) -> SwitchingPolicy:
    return SwitchingPolicy(
        alarm_after=settings.relay_alarm_after,
        first_pause_s=settings.relay_first_pause_s,
        longest_pause_s=settings.relay_longest_pause_s,
        moved=settings.relay_moved,
        cap=OpeningCap(settings.supply_open_cap, settings.supply_open_window_s),
    )


def _intake(settings: MeterGatewaySettings, recorder: ReadingRecorder) -> MqttIntake:
    return MqttIntake(
        recorder=recorder,
        broker=broker_of(settings.mqtt_url),
        password=settings.mqtt_password.get_secret_value(),
        client_id=settings.mqtt_client_id,
        prefix=settings.mqtt_topic_prefix,
    )


def _profiles(extra: Path | None) -> dict[str, Profile]:
    """A profile that cannot be used stops the start, named with its place."""
    try:
        return load_profiles(extra)
    except ProfileError as fault:
        for line in fault.faults:
            print(f"profile {fault.code}: {line}", file=sys.stderr)
        raise SystemExit(2) from None


def _dlt645_access(settings: MeterGatewaySettings) -> Access:
    return Access(
        password=bytes.fromhex(settings.dlt645_password.get_secret_value()),
        operator=bytes.fromhex(settings.dlt645_operator.get_secret_value()),
        zone=ZoneInfo(settings.meter_clock_zone),
    )


def _operation(
    settings: MeterGatewaySettings, context: Context, recorder: ReadingRecorder
) -> Operation:
    speed = context.clock.speed
    return Operation(
        context=context,
        recorder=recorder,
        cadence=Cadence(
            billing_s=settings.poll_interval_s / speed,
            fast_s=settings.fast_interval_s / speed,
            slow_s=settings.slow_interval_s / speed,
        ),
        units=BreakerPolicy(
            first_pause_s=settings.unit_first_pause_s,
            longest_pause_s=settings.unit_longest_pause_s,
        ),
        pace=Pace(settings.reconnect_per_minute_and_place, settings.reconnect_per_minute),
        concurrency=settings.relay_concurrency,
        connects_per_s=settings.connects_per_s,
        lease_s=settings.lease_s,
        drivers=Drivers(dlt645=_dlt645_access(settings)),
    )
